// Token counts through Lockgate with the Anthropic SDK: the question, then with system prompt and tool.
//
//   npm ci
//   LOCKGATE_API_KEY=... node anthropic_count_tokens.mjs

import Anthropic from "@anthropic-ai/sdk";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const WEATHER_TOOL = {
  name: "get_weather",
  description: "Return the current weather of a city.",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  // This SDK adds /v1 by itself, so its base URL is the bare origin.
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Anthropic({ baseURL: origin, apiKey: process.env.LOCKGATE_API_KEY });
}

async function count(client) {
  const messages = [{ role: "user", content: "What is the weather in Chennai?" }];
  const bare = (await client.messages.countTokens({ model: MODEL, messages })).input_tokens;
  const more = { system: "You answer in one sentence.", tools: [WEATHER_TOOL] };
  const full = (await client.messages.countTokens({ model: MODEL, messages, ...more })).input_tokens;
  if (!(0 < bare && bare < full)) throw new Error(`The counts make no sense: ${bare} and ${full}.`);
  console.log(`Question: ${bare} tokens`);
  console.log(`With system prompt and tool: ${full} tokens`);
}

// The count is what the same call is then charged for.
async function compare(client) {
  const request = { model: MODEL, messages: [{ role: "user", content: "Hello, Claude" }] };
  const counted = (await client.messages.countTokens(request)).input_tokens;
  const used = (await client.messages.create({ ...request, max_tokens: 100 })).usage.input_tokens;
  console.log(`Counted and used: ${counted} and ${used} tokens`);
}

try {
  const client = connect();
  await count(client);
  await compare(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
