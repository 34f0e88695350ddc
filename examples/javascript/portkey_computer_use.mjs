// Claude's computer use through Lockgate with the portkey-ai SDK: the screenshot goes back as a tool's result.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_computer_use.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const COMPUTER = {
  type: "computer",
  computer: { name: "computer_20251124", display_width_px: 1024, display_height_px: 768 },
};
// A red dot on white, 16 by 16 pixels.
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQMAAAAlPW0iAAAABlBMVEX////IFBT+CheuAAAAJklEQVR42mNggAHmA0wsCkwc" +
  "AkwCHEwMDFD04QfTjw9Mfx7AVQEAdUIG1racT0IAAAAASUVORK5CYII=";

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({
    baseURL: `${origin}/v1`,
    apiKey: process.env.LOCKGATE_API_KEY,
    strictOpenAiCompliance: false, // else what OpenAI's API does not know is left out: here thinking, to be sent back
  });
}

async function computerUse(client) {
  const messages = [{ role: "user", content: "Use the computer: which colour has the dot on the screen?" }];
  const request = { model: MODEL, max_tokens: 1024, messages, tools: [COMPUTER] };
  const { message } = (await client.chat.completions.create(request)).choices[0];
  if (!message.tool_calls?.length) throw new Error(`The model did not use the computer; it said: ${message.content}`);

  messages.push(message);
  for (const call of message.tool_calls) {
    console.log(`Action: ${call.function.name}(${call.function.arguments})`);
    // A real program would do the action here, and send a picture of the screen after it.
    const screen = { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } };
    messages.push({ role: "tool", tool_call_id: call.id, content: [screen] });
  }
  const text = (await client.chat.completions.create(request)).choices[0].message.content;
  if (!text) throw new Error("There is no final answer after the screenshot.");
  console.log(`Final answer: ${text}`);
}

try {
  const client = connect();
  await computerUse(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
