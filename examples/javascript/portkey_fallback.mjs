// A fallback through Lockgate with the portkey-ai SDK: the first target fails, the next one answers, whole and streamed.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_fallback.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const SLUG = MODEL.split("/")[0];
const CONFIG = {
  strategy: { mode: "fallback" },
  retry: { attempts: 2, on_status_codes: [429, 529], use_retry_after_headers: true },
  request_timeout: 60_000,
  targets: [
    // No provider has this model, so this target always fails; yours would fail only now and then.
    { override_params: { model: `${SLUG}/no-such-model` } },
    { override_params: { model: MODEL } },
  ],
};
const REQUEST = { model: MODEL, max_tokens: 250, messages: [{ role: "user", content: "What is a fallback?" }] };

// The config goes along with each request of this client.
function connect(config) {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({ baseURL: `${origin}/v1`, apiKey: process.env.LOCKGATE_API_KEY, config });
}

async function whole(client) {
  const reply = await client.chat.completions.create(REQUEST);
  const text = reply.choices[0].message.content;
  if (!text) throw new Error("The answer is empty.");
  const headers = reply.getHeaders();
  console.log(`Answer: ${text}`);
  console.log(
    `Answered by: ${headers["last-used-option-index"]} after ${headers["retry-attempt-count"]} retries`,
  );
}

// A stream that fails before its first event moves on, too; after that it ends with an error.
async function streamed(client) {
  let text = "";
  let finishReason = null;
  for await (const chunk of await client.chat.completions.create({ ...REQUEST, stream: true })) {
    for (const choice of chunk.choices) {
      text += choice.delta.content ?? "";
      finishReason = choice.finish_reason ?? finishReason;
    }
  }
  if (!text || !finishReason) throw new Error("The stream was not complete.");
  console.log(`Streamed: ${text}`);
}

try {
  const client = connect(CONFIG);
  await whole(client);
  await streamed(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
