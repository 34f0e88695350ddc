// Anthropic Messages through Lockgate with the unmodified Anthropic SDK: a plain call, a streamed call, a tool call.
//
//   npm ci
//   LOCKGATE_API_KEY=... node anthropic_messages.mjs

import Anthropic from "@anthropic-ai/sdk";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const WEATHER_TOOL = {
  name: "get_weather",
  description: "Return the current weather of a city.",
  input_schema: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};

// Only the base URL and the key differ from a program that talks to Anthropic directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  // This SDK adds /v1 by itself, so its base URL is the bare origin.
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Anthropic({ baseURL: origin, apiKey: process.env.LOCKGATE_API_KEY });
}

function textOf(message) {
  return message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
}

async function plain(client) {
  const message = await client.messages.create({
    model: MODEL,
    max_tokens: 250,
    system: "You answer in one sentence.",
    messages: [{ role: "user", content: "What does an AI gateway do?" }],
  });
  if (!textOf(message)) throw new Error("The plain answer is empty.");
  console.log(`Plain: ${textOf(message)}`);
}

async function streamed(client) {
  process.stdout.write("Streamed: ");
  const stream = client.messages.stream({
    model: MODEL,
    max_tokens: 500,
    messages: [{ role: "user", content: "Tell me a very short story." }],
  });
  stream.on("text", (text) => process.stdout.write(text));
  const message = await stream.finalMessage();
  console.log();
  if (!textOf(message) || !message.stop_reason) {
    throw new Error(`The stream was not complete: stop reason ${message.stop_reason}.`);
  }
}

function getWeather(city) {
  return { city, sky: "sunny", temperature_c: 31 };
}

async function toolCall(client) {
  const messages = [{ role: "user", content: "What is the weather in Chennai? Use the tool." }];
  const request = { model: MODEL, max_tokens: 500, messages, tools: [WEATHER_TOOL] };
  const first = await client.messages.create(request);
  const calls = first.content.filter((block) => block.type === "tool_use");
  if (!calls.length) throw new Error(`The model called no tool; it said: ${textOf(first)}`);

  // All results go back in one user turn, each with the id of its call; the model then writes the final text.
  const results = calls.map((call) => {
    const result = getWeather(call.input.city);
    console.log(`Tool call: ${call.name}(${JSON.stringify(call.input)}) -> ${JSON.stringify(result)}`);
    return { type: "tool_result", tool_use_id: call.id, content: JSON.stringify(result) };
  });
  messages.push({ role: "assistant", content: first.content }, { role: "user", content: results });
  const last = await client.messages.create(request);
  if (!textOf(last)) throw new Error("There is no final answer after the tool's result.");
  console.log(`Final answer: ${textOf(last)}`);
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
