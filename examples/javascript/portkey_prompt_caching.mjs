// Prompt caching through Lockgate with the portkey-ai SDK: cache marks on tools, system prompt and question.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_prompt_caching.mjs

import { randomUUID } from "node:crypto";

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const SEARCH_TOOL = {
  type: "function",
  function: {
    name: "search_manual",
    description: "Search other manuals.",
    parameters: { type: "object", properties: { words: { type: "string" } }, required: ["words"] },
  },
};

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({ baseURL: `${origin}/v1`, apiKey: process.env.LOCKGATE_API_KEY });
}

// Returns how many tokens the call wrote into the cache and how many it read from it.
async function ask(client, manual, question) {
  const reply = await client.chat.completions.create({
    model: MODEL,
    max_tokens: 200,
    // The cached part is what stands before a mark: first the tools, then the system prompt, then the messages.
    tools: [{ ...SEARCH_TOOL, cache_control: { type: "ephemeral", ttl: "1h" } }],
    messages: [
      {
        role: "system",
        content: [
          { type: "text", text: "You answer questions about the manual." },
          { type: "text", text: manual, cache_control: { type: "ephemeral", ttl: "1h" } },
        ],
      },
      { role: "user", content: [{ type: "text", text: question, cache_control: { type: "ephemeral" } }] },
    ],
  });
  return [reply.usage.cache_creation_input_tokens ?? 0, reply.usage.cache_read_input_tokens ?? 0];
}

async function caching(client) {
  // A new manual for each run, so that the first call always has to write it into the cache.
  const manual = `Manual ${randomUUID()}. ${"Hold the red button for ten seconds to reset it. ".repeat(600)}`;
  for (const [name, question] of [
    ["First call", "How do I reset it?"],
    ["Second call", "Which button is it?"],
  ]) {
    const [written, read] = await ask(client, manual, question);
    console.log(`${name}: wrote ${written} tokens, read ${read} tokens`);
    const isRepeated = name === "Second call";
    if (read > written !== isRepeated) throw new Error("The cache was not used as expected.");
  }
}

try {
  const client = connect();
  await caching(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
