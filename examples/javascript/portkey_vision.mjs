// Images through Lockgate with the portkey-ai SDK: a data URI in the OpenAI format, whole and streamed.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_vision.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
// A red dot on white, 16 by 16 pixels.
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQMAAAAlPW0iAAAABlBMVEX////IFBT+CheuAAAAJklEQVR42mNggAHmA0wsCkwc" +
  "AkwCHEwMDFD04QfTjw9Mfx7AVQEAdUIG1racT0IAAAAASUVORK5CYII=";

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({ baseURL: `${origin}/v1`, apiKey: process.env.LOCKGATE_API_KEY });
}

function question(text) {
  const image = { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } };
  return [{ role: "user", content: [image, { type: "text", text }] }];
}

async function whole(client) {
  const messages = question("What's in this image?");
  const reply = await client.chat.completions.create({ model: MODEL, max_tokens: 300, messages });
  const text = reply.choices[0].message.content;
  if (!text) throw new Error("The answer is empty.");
  console.log(`Image: ${text}`);
}

async function streamed(client) {
  const request = { model: MODEL, max_tokens: 300, messages: question("Which colours has it?"), stream: true };
  process.stdout.write("Streamed: ");
  let finishReason = null;
  for await (const chunk of await client.chat.completions.create(request)) {
    for (const choice of chunk.choices) {
      process.stdout.write(choice.delta.content ?? "");
      finishReason = choice.finish_reason ?? finishReason;
    }
  }
  console.log();
  if (!finishReason) throw new Error("The stream was not complete.");
}

try {
  const client = connect();
  await whole(client);
  await streamed(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
