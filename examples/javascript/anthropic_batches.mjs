// Message batches through Lockgate with the Anthropic SDK: create one, wait for it, read its results.
//
//   npm ci
//   LOCKGATE_API_KEY=... node anthropic_batches.mjs

import Anthropic from "@anthropic-ai/sdk";
import { setTimeout as sleep } from "node:timers/promises";

// "@slug/model": the slug names a provider that Lockgate knows; all requests of a batch name the same one.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const QUESTIONS = { France: "What is the capital of France?", Norway: "What is the capital of Norway?" };
const POLL_MS = 1000;

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  // This SDK adds /v1 by itself, so its base URL is the bare origin.
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Anthropic({ baseURL: origin, apiKey: process.env.LOCKGATE_API_KEY });
}

async function run(client) {
  const requests = Object.entries(QUESTIONS).map(([name, content]) => ({
    custom_id: name,
    params: { model: MODEL, max_tokens: 200, messages: [{ role: "user", content }] },
  }));
  let batch = await client.messages.batches.create({ requests });
  console.log(`Created: ${batch.id}`);
  // Lockgate remembers which provider keeps the batch: from here on its id is enough.
  while ((batch = await client.messages.batches.retrieve(batch.id)).processing_status !== "ended") await sleep(POLL_MS);
  console.log(`Ended: ${batch.request_counts.succeeded} of ${requests.length} requests succeeded`);
  return batch.id;
}

async function read(client, batchId) {
  for await (const line of await client.messages.batches.results(batchId)) {
    if (line.result.type !== "succeeded") throw new Error(`${line.custom_id}: ${line.result.type}`);
    const text = line.result.message.content.find((block) => block.type === "text").text;
    console.log(`${line.custom_id}: ${text}`);
  }
}

try {
  const client = connect();
  await read(client, await run(client));
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
