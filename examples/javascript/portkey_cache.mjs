// The cache of Lockgate with the portkey-ai SDK: an equal question is answered without asking anybody, also as a stream.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_cache.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const CONFIG = { cache: { mode: "simple", max_age: 3600 } };
// The time makes it a question that nobody has asked yet.
const QUESTION = `Name one good thing about caches. (Asked at ${Date.now()}.)`;
const REQUEST = { model: MODEL, max_tokens: 250, messages: [{ role: "user", content: QUESTION }] };

// The config goes along with each request of this client.
function connect(config, more = {}) {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({ baseURL: `${origin}/v1`, apiKey: process.env.LOCKGATE_API_KEY, config, ...more });
}

async function ask(client, expected) {
  const reply = await client.chat.completions.create(REQUEST);
  const text = reply.choices[0].message.content;
  const status = reply.getHeaders()["cache-status"];
  if (!text || status !== expected) throw new Error(`The cache says ${status} where ${expected} was expected.`);
  return text;
}

try {
  const client = connect(CONFIG);
  const first = await ask(client, "MISS");
  console.log(`Asked: ${first}`);
  if ((await ask(client, "HIT")) !== first) throw new Error("The answer from the cache is another one.");
  console.log("Asked again: the same answer, from the cache");
  let streamed = "";
  for await (const chunk of await client.chat.completions.create({ ...REQUEST, stream: true })) {
    for (const choice of chunk.choices) streamed += choice.delta.content ?? "";
  }
  console.log(`Streamed: ${streamed}`);
  console.log(`Asked anew: ${await ask(connect(CONFIG, { cacheForceRefresh: true }), "REFRESH")}`);
  console.log(`In another namespace: ${await ask(connect(CONFIG, { cacheNamespace: "mine" }), "MISS")}`);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
