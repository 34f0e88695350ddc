// Makes calls with the JavaScript SDKs of the folder that it was copied to, and says what came of each.
//
// Reads lines from standard input, each a JSON list of calls, and answers each with a JSON list of outcomes; drive.py, its
// twin, describes them.

import { createInterface } from "node:readline";

async function connect(call) {
  const options = { ...(call.options ?? {}) };
  if (call.headers) options.defaultHeaders = call.headers;
  if (call.auth_token) options.authToken = call.auth_token;
  if (call.api_key) options.apiKey = call.api_key;
  options.baseURL = call.origin + (call.path ?? (call.sdk === "anthropic" ? "" : "/v1"));
  options.maxRetries = call.max_retries ?? 0;
  if (call.sdk === "portkey") {
    const { Portkey } = await import("portkey-ai");
    delete options.defaultHeaders;
    delete options.maxRetries;
    return new Portkey({ ...options, ...(call.headers ?? {}) });
  }
  const SDK = (await import(call.sdk === "anthropic" ? "@anthropic-ai/sdk" : "openai")).default;
  return new SDK(options);
}

function bodyOf(call) {
  const text = (call.text ?? "Hello") + "x".repeat(call.pad_bytes ?? 0);
  const body = { model: call.model, messages: [{ role: "user", content: text }] };
  if (call.max_tokens !== null && call.action !== "count_tokens") body.max_tokens = call.max_tokens ?? 100;
  return body;
}

async function runAnthropic(client, call, outcome) {
  if (call.action === "models") {
    outcome.models = [];
    for await (const model of client.models.list()) outcome.models.push(model.id);
  } else if (call.action === "files") {
    outcome.files = [];
    for await (const file of client.beta.files.list({ limit: 15 })) outcome.files.push(file.id);
  } else if (call.action === "count_tokens") {
    outcome.text = String((await client.messages.countTokens(bodyOf(call))).input_tokens);
  } else if (call.stream) {
    for await (const event of await client.messages.create({ ...bodyOf(call), stream: true })) {
      if (event.type === "content_block_delta" && event.delta.type === "text_delta") outcome.text += event.delta.text;
      outcome.is_complete = event.type === "message_stop";
    }
  } else {
    const message = await client.messages.create(bodyOf(call));
    outcome.text = message.content.map((block) => block.text ?? "").join("");
    outcome.model = message.model;
  }
  outcome.is_complete ||= !call.stream;
}

async function runChat(client, call, outcome) {
  if (call.action === "models") {
    outcome.models = (await client.models.list()).data.map((model) => model.id);
  } else if (call.action === "files") {
    outcome.files = [];
    for await (const file of client.files.list({ limit: 15 })) outcome.files.push(file.id);
  } else if (call.stream) {
    for await (const chunk of await client.chat.completions.create({ ...bodyOf(call), stream: true })) {
      for (const choice of chunk.choices) {
        outcome.text += choice.delta.content ?? "";
        outcome.is_complete ||= choice.finish_reason !== null && choice.finish_reason !== undefined;
      }
    }
  } else {
    const reply = await client.chat.completions.create(bodyOf(call));
    outcome.text = reply.choices[0].message.content;
    outcome.model = reply.model;
  }
  outcome.is_complete ||= !call.stream;
}

function describe(error) {
  const ancestors = [];
  for (let type = error.constructor; type && type.name; type = Object.getPrototypeOf(type)) ancestors.push(type.name);
  const headers = error.headers ?? {};
  return {
    class: error.constructor.name,
    ancestors,
    status: error.status ?? null,
    message: error.message,
    body: error.error ?? null,
    headers: typeof headers.entries === "function" ? Object.fromEntries(headers.entries()) : headers,
  };
}

async function drive(call) {
  const outcome = { id: call.id, text: "", model: null, is_complete: false, error: null };
  try {
    const client = await connect(call);
    await (call.sdk === "anthropic" ? runAnthropic : runChat)(client, call, outcome);
  } catch (error) {
    outcome.error = describe(error);
  }
  return outcome;
}

for await (const line of createInterface({ input: process.stdin })) {
  const outcomes = [];
  for (const call of JSON.parse(line)) outcomes.push(await drive(call));
  process.stdout.write(`${JSON.stringify(outcomes)}\n`);
}
