// Claude's web search through Lockgate with the portkey-ai SDK: citations, and a second turn that keeps them.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_web_search.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-haiku-4-5";
const WEB_SEARCH = { type: "web_search", web_search: { name: "web_search_20250305", max_uses: 2 } };

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({
    baseURL: `${origin}/v1`,
    apiKey: process.env.LOCKGATE_API_KEY,
    strictOpenAiCompliance: false, // else what OpenAI's API does not know is left out: citations
  });
}

function sourcesOf(message) {
  const cited = message.content_blocks.flatMap((block) => block.citations ?? []);
  return [...new Set(cited.map((citation) => citation.url))];
}

async function search(client) {
  const messages = [{ role: "user", content: "What is the latest news on Poland?" }];
  for (const name of ["Answer", "Second answer"]) {
    const request = { model: MODEL, max_tokens: 1024, messages, tools: [WEB_SEARCH] };
    const message = (await client.chat.completions.create(request)).choices[0].message;
    if (!message.content || !sourcesOf(message).length) {
      throw new Error(`The answer cites nothing: ${JSON.stringify(message)}`);
    }
    console.log(`${name}: ${message.content}`);
    console.log(`Sources: ${sourcesOf(message).join(", ")}`);
    // The content blocks hold what was found; sent back whole, Claude can cite it again.
    messages.push(message, { role: "user", content: "Search for the latest news on Norway, too." });
  }
}

try {
  const client = connect();
  await search(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
