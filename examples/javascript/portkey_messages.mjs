// Anthropic Messages through Lockgate with the portkey-ai SDK, which has no method for it, but `post`.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_messages.mjs

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

function textOf(message) {
  return message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
}

async function plain(client) {
  // What comes back is Anthropic's own answer, untranslated. For streams use Anthropic's SDK or curl.
  const message = await client.post("/messages", {
    model: MODEL,
    max_tokens: 250,
    system: "You answer in one sentence.",
    messages: [{ role: "user", content: "What is the weather like in Chennai?" }],
  });
  if (message.type !== "message" || !textOf(message)) {
    throw new Error(`The answer is empty: ${JSON.stringify(message)}`);
  }
  console.log(`Message: ${textOf(message)}`);
  console.log(`Usage: ${message.usage.input_tokens} tokens in, ${message.usage.output_tokens} out`);
}

try {
  const client = connect();
  await plain(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
