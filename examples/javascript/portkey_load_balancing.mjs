// Load balancing through Lockgate with the portkey-ai SDK: shares by weight, and users who stay where they are.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_load_balancing.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const TARGETS = [
  { weight: 3, override_params: { model: MODEL } },
  { weight: 1, override_params: { model: MODEL, temperature: 1 } },
];
const BALANCED = { strategy: { mode: "loadbalance" }, targets: TARGETS };
const STICKY = {
  strategy: { mode: "loadbalance", sticky: { enabled: true, hash_fields: ["metadata.user_id"], ttl: 600 } },
  targets: TARGETS,
};

// The config goes along with each request of this client.
function connect(config, more = {}) {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({ baseURL: `${origin}/v1`, apiKey: process.env.LOCKGATE_API_KEY, config, ...more });
}

// Returns the target that answered.
async function ask(client) {
  const reply = await client.chat.completions.create({
    model: MODEL,
    max_tokens: 250,
    messages: [{ role: "user", content: "Say hi." }],
  });
  if (!reply.choices[0].message.content) throw new Error("The answer is empty.");
  return reply.getHeaders()["last-used-option-index"];
}

// One dice is thrown for each request: over many of them three go to the first target for one to the second.
async function shares(client) {
  const counts = {};
  for (let asked = 0; asked < 12; asked++) {
    const target = await ask(client);
    counts[target] = (counts[target] ?? 0) + 1;
  }
  const lines = Object.keys(counts).sort().map((target) => `${counts[target]} at ${target}`);
  console.log(`Shares: ${lines.join(", ")}`);
}

// The first request of a user decides where the next ones go.
async function sticky() {
  for (const user of ["ann", "bob"]) {
    const client = connect(STICKY, { metadata: { user_id: user } });
    const targets = new Set([await ask(client), await ask(client), await ask(client)]);
    if (targets.size > 1) throw new Error(`${user} was sent to several targets: ${[...targets]}`);
    console.log(`Sticky: ${user} stays at ${[...targets][0]}`);
  }
}

try {
  await shares(connect(BALANCED));
  await sticky();
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
