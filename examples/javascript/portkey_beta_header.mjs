// Anthropic's beta features through Lockgate with the portkey-ai SDK: one flag, or several.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_beta_header.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const ONE_FLAG = "token-efficient-tools-2025-02-19";

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  return clientWith(ONE_FLAG);
}

function clientWith(flags) {
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({ baseURL: `${origin}/v1`, apiKey: process.env.LOCKGATE_API_KEY, anthropicBeta: flags });
}

async function ask(client) {
  const messages = [{ role: "user", content: "What does an AI gateway do?" }];
  const reply = await client.chat.completions.create({ model: MODEL, max_tokens: 250, messages });
  const text = reply.choices[0].message.content;
  if (!text) throw new Error("The answer is empty.");
  return text;
}

async function oneFlag(client) {
  console.log(`One flag: ${await ask(client)}`);
}

async function twoFlags() {
  // This SDK has no headers per call that arrive as such, so each set of flags needs its own client.
  console.log(`Two flags: ${await ask(clientWith(`${ONE_FLAG},context-1m-2025-08-07`))}`);
}

try {
  const client = connect();
  await oneFlag(client);
  await twoFlags();
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
