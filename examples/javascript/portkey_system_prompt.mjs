// System prompts through Lockgate with the portkey-ai SDK: one, several, and OpenAI's newer developer role.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_system_prompt.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({ baseURL: `${origin}/v1`, apiKey: process.env.LOCKGATE_API_KEY });
}

async function ask(client, ...instructions) {
  const reply = await client.chat.completions.create({
    model: MODEL,
    max_tokens: 250,
    messages: [...instructions, { role: "user", content: "How do I boil water?" }],
  });
  const text = reply.choices[0].message.content;
  if (!text) throw new Error("The answer is empty.");
  return text;
}

async function one(client) {
  console.log(`One: ${await ask(client, { role: "system", content: "You are a snarky assistant." })}`);
}

// Claude has one system prompt, made of parts: each message becomes one, in their order.
async function several(client) {
  const snarky = { role: "system", content: "You are a snarky assistant." };
  const short = { role: "developer", content: "You answer in one sentence." };
  console.log(`Several: ${await ask(client, snarky, short)}`);
}

try {
  const client = connect();
  await one(client);
  await several(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
