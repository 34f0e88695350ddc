// Claude's computer use through Lockgate with the Anthropic SDK: the screenshot goes back as a tool's result.
//
//   npm ci
//   LOCKGATE_API_KEY=... node anthropic_computer_use.mjs

import Anthropic from "@anthropic-ai/sdk";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const COMPUTER = { type: "computer_20251124", name: "computer", display_width_px: 1024, display_height_px: 768 };
// A red dot on white, 16 by 16 pixels.
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQMAAAAlPW0iAAAABlBMVEX////IFBT+CheuAAAAJklEQVR42mNggAHmA0wsCkwc" +
  "AkwCHEwMDFD04QfTjw9Mfx7AVQEAdUIG1racT0IAAAAASUVORK5CYII=";

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  // This SDK adds /v1 by itself, so its base URL is the bare origin.
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Anthropic({ baseURL: origin, apiKey: process.env.LOCKGATE_API_KEY });
}

async function computerUse(client) {
  const messages = [{ role: "user", content: "Use the computer: which colour has the dot on the screen?" }];
  const request = { model: MODEL, max_tokens: 1024, messages, tools: [COMPUTER], betas: ["computer-use-2025-11-24"] };
  const first = await client.beta.messages.create(request);
  const actions = first.content.filter((block) => block.type === "tool_use");
  if (!actions.length) throw new Error(`The model did not use the computer: ${JSON.stringify(first.content)}`);

  const results = actions.map((action) => {
    console.log(`Action: ${action.name}(${JSON.stringify(action.input)})`);
    // A real program would do the action here, and send a picture of the screen after it.
    const screen = { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } };
    return { type: "tool_result", tool_use_id: action.id, content: [screen] };
  });
  messages.push({ role: "assistant", content: first.content }, { role: "user", content: results });
  const last = await client.beta.messages.create(request);
  const text = last.content.map((block) => (block.type === "text" ? block.text : "")).join("");
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
