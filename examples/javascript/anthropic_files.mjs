// Files through Lockgate with the Anthropic SDK: upload one, ask about it, list it, delete it.
//
//   npm ci
//   LOCKGATE_API_KEY=... node anthropic_files.mjs

import Anthropic, { toFile } from "@anthropic-ai/sdk";

// "@slug" names a provider that Lockgate knows. A file has no model in its body that could name it, so a header does.
const PROVIDER = process.env.LOCKGATE_PROVIDER ?? "@anthropic";
const MODEL = process.env.LOCKGATE_MODEL ?? `${PROVIDER}/claude-sonnet-5-5`;
const TEXT = "Grass is green. The sky is blue.";

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  // This SDK adds /v1 by itself, so its base URL is the bare origin.
  const baseURL = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  const defaultHeaders = { "x-portkey-provider": PROVIDER };
  return new Anthropic({ baseURL, apiKey: process.env.LOCKGATE_API_KEY, defaultHeaders });
}

async function upload(client) {
  const content = await toFile(Buffer.from(TEXT), "colours.txt", { type: "text/plain" });
  const file = await client.files.upload({ file: content });
  console.log(`Uploaded: ${file.filename}, ${file.size_bytes} bytes, ${file.id}`);
  return file.id;
}

async function ask(client, fileId) {
  const document = { type: "document", source: { type: "file", file_id: fileId } };
  const question = { type: "text", text: "Which colours are named?" };
  const messages = [{ role: "user", content: [document, question] }];
  const message = await client.messages.create({ model: MODEL, max_tokens: 1000, messages });
  console.log(`Answer: ${message.content.find((block) => block.type === "text").text}`);
}

async function find(client, fileId) {
  let count = 0;
  // The SDK asks for the following pages by itself.
  for await (const file of client.files.list()) count += file.id === fileId;
  console.log(`Found: ${count} time in the list`);
}

async function remove(client, fileId) {
  console.log(`Deleted: ${(await client.files.delete(fileId)).id}`);
}

try {
  const client = connect();
  const fileId = await upload(client);
  await ask(client, fileId);
  await find(client, fileId);
  await remove(client, fileId);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
