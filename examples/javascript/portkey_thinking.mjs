// Extended thinking through Lockgate with the portkey-ai SDK: whole, streamed, and carried on after a tool call.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_thinking.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-haiku-4-5";
// Models from 4.6 on decide for themselves how long to think: {"type": "adaptive", "display": "summarized"}.
const THINKING = JSON.parse(process.env.LOCKGATE_THINKING ?? '{"type": "enabled", "budget_tokens": 2030}');
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
  return new Portkey({
    baseURL: `${origin}/v1`,
    apiKey: process.env.LOCKGATE_API_KEY,
    strictOpenAiCompliance: false, // else what OpenAI's API does not know is left out: thinking
  });
}

// Returns the thinking of an answer, having made sure that it is there, is signed, and that something follows it.
function thoughtsOf(message) {
  const blocks = message.content_blocks ?? [];
  if (!blocks.some((block) => block.signature) || !(message.content || message.tool_calls?.length)) {
    throw new Error(`The answer or its thinking is missing: ${JSON.stringify(message)}`);
  }
  return blocks.map((block) => block.thinking ?? "").join("");
}

async function whole(client) {
  const reply = await client.chat.completions.create({
    model: MODEL,
    max_tokens: 3000,
    thinking: THINKING,
    messages: [{ role: "user", content: "Is 391 a prime number?" }],
  });
  const message = reply.choices[0].message;
  console.log(`Thinking: ${thoughtsOf(message)}`);
  console.log(`Answer: ${message.content}`);
}

// Assembles a streamed answer into the message to send back: text, content blocks and tool calls.
async function readStream(stream) {
  const message = { role: "assistant", content: "" };
  const blocks = new Map();
  const calls = new Map();
  for await (const chunk of stream) {
    for (const { delta } of chunk.choices) {
      message.content += delta.content ?? "";
      for (const piece of delta.content_blocks ?? []) {
        const block = blocks.get(piece.index) ?? { index: piece.index };
        blocks.set(piece.index, block);
        for (const [key, value] of Object.entries(piece.delta)) block[key] = (block[key] ?? "") + value;
      }
      for (const piece of delta.tool_calls ?? []) {
        const { name, arguments: part = "" } = piece.function;
        const call = calls.get(piece.index) ?? { id: piece.id, type: "function", function: { name, arguments: "" } };
        calls.set(piece.index, call);
        call.function.arguments += part;
      }
    }
  }
  message.content_blocks = [...blocks.values()];
  if (calls.size) message.tool_calls = [...calls.values()];
  return message;
}

async function streamed(client) {
  const stream = await client.chat.completions.create({
    model: MODEL,
    max_tokens: 3000,
    thinking: THINKING,
    messages: [{ role: "user", content: "Is 397 a prime number?" }],
    stream: true,
  });
  const message = await readStream(stream);
  console.log(`Streamed thinking: ${thoughtsOf(message)}`);
  console.log(`Streamed answer: ${message.content}`);
}

// Claude wants the signed thinking before a tool call back, unchanged: the content blocks carry it.
async function turns(client, isStreamed) {
  const messages = [{ role: "user", content: "Is it warm in Oslo? Look up the weather." }];
  const request = { model: MODEL, max_tokens: 3000, thinking: THINKING, tools: [WEATHER_TOOL], messages };
  for (let turn = 0; turn < 2; turn += 1) {
    const answer = await client.chat.completions.create({ ...request, stream: isStreamed });
    const said = isStreamed ? await readStream(answer) : answer.choices[0].message;
    thoughtsOf(said);
    if (!said.tool_calls?.length) throw new Error(`The model called no tool; it said: ${said.content}`);
    messages.push(said);
    for (const call of said.tool_calls) {
      console.log(`Tool call: ${call.function.name}(${call.function.arguments})`);
      const result = JSON.stringify({ sky: "light rain", temperature_c: 9 });
      messages.push({ role: "tool", tool_call_id: call.id, content: result });
    }
    const last = (await client.chat.completions.create(request)).choices[0].message;
    if (!last.content) throw new Error("There is no final answer after the tool's result.");
    console.log(`Final answer: ${last.content}`);
    // The next question comes after a whole turn with thinking, tool call and answer.
    messages.push(last, { role: "user", content: "And in Rome? Look up the weather again." });
  }
}

try {
  const client = connect();
  await whole(client);
  await streamed(client);
  await turns(client, false);
  await turns(client, true);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
