// Runs a conversation with one tool call by the tool runner of the Anthropic SDK, and says what it sent and was answered.
//
// Takes one JSON argument: {"origin", "key", "model", "question", "stream", "headers", "key_of_later_turns"}. The tool is get_weather.

import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";

const call = JSON.parse(process.argv[2]);
const sent = [];
const answers = [];
const asked = [];

async function watched(url, request) {
  sent.push(JSON.parse(request.body));
  if (sent.length > 1 && call.key_of_later_turns) {
    const headers = new Headers(request.headers);
    headers.delete("authorization");
    headers.set("x-api-key", call.key_of_later_turns);
    request = { ...request, headers };
  }
  const answer = await fetch(url, request);
  const code = answer.ok ? null : (await answer.clone().json()).error.details?.error_code ?? null;
  answers.push([answer.status, code]);
  return answer;
}

const weather = betaTool({
  name: "get_weather",
  description: "Return the weather of a city.",
  inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  run: ({ city }) => {
    asked.push(city);
    return "12 degrees ☀";
  },
});

const client = new Anthropic({ apiKey: call.key, baseURL: call.origin, maxRetries: 0, fetch: watched, defaultHeaders: call.headers });
const runner = client.beta.messages.toolRunner({
  model: call.model,
  max_tokens: 500,
  messages: [{ role: "user", content: call.question }],
  tools: [weather],
  stream: call.stream,
});
let message;
let deltas = 0;
if (call.stream) {
  for await (const turn of runner) {
    for await (const event of turn) deltas += event.type === "content_block_delta";
    message = await turn.finalMessage();
  }
} else {
  message = await runner.runUntilDone();
}
const text = message.content.map((block) => block.text ?? "").join("");
console.log(JSON.stringify({ sent, answers, asked, deltas, text, stop_reason: message.stop_reason }));
