// Chat Completions through Lockgate with the unmodified portkey-ai SDK: a plain call, a streamed call, a tool call.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_chat.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const WEATHER_TOOL = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Return the current weather of a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({ baseURL: `${origin}/v1`, apiKey: process.env.LOCKGATE_API_KEY });
}

async function plain(client) {
  const reply = await client.chat.completions.create({
    model: MODEL,
    max_tokens: 250, // Claude wants a limit; the SDK leaves it out unless you say it
    messages: [
      { role: "system", content: "You answer in one sentence." },
      { role: "user", content: "What does an AI gateway do?" },
    ],
  });
  const text = reply.choices[0].message.content;
  if (!text) throw new Error("The plain answer is empty.");
  console.log(`Plain: ${text}`);
}

async function streamed(client) {
  const stream = await client.chat.completions.create({
    model: MODEL,
    max_tokens: 500,
    messages: [{ role: "user", content: "Tell me a very short story." }],
    stream: true,
  });
  let text = "";
  let finishReason = null;
  process.stdout.write("Streamed: ");
  for await (const chunk of stream) {
    for (const choice of chunk.choices) {
      text += choice.delta.content ?? "";
      process.stdout.write(choice.delta.content ?? "");
      finishReason = choice.finish_reason ?? finishReason;
    }
  }
  console.log();
  if (!text || !finishReason) throw new Error(`The stream was not complete: finish reason ${finishReason}.`);
}

function getWeather(city) {
  return { city, sky: "sunny", temperature_c: 31 };
}

async function toolCall(client) {
  const messages = [{ role: "user", content: "What is the weather in Chennai? Use the tool." }];
  const request = { model: MODEL, max_tokens: 500, messages, tools: [WEATHER_TOOL] };
  const first = await client.chat.completions.create(request);
  const message = first.choices[0].message;
  if (!message.tool_calls?.length) throw new Error(`The model called no tool; it said: ${message.content}`);

  // The answer goes back with the call it belongs to; the model then writes the final text.
  messages.push(message);
  for (const call of message.tool_calls) {
    const result = getWeather(JSON.parse(call.function.arguments).city);
    console.log(`Tool call: ${call.function.name}(${call.function.arguments}) -> ${JSON.stringify(result)}`);
    messages.push({ role: "tool", tool_call_id: call.id, content: JSON.stringify(result) });
  }
  const last = await client.chat.completions.create(request);
  const text = last.choices[0].message.content;
  if (!text) throw new Error("There is no final answer after the tool's result.");
  console.log(`Final answer: ${text}`);
}

try {
  const client = connect();
  await plain(client);
  await streamed(client);
  await toolCall(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
