// Structured outputs through Lockgate with the openai SDK: a JSON Schema, streamed too, and a Zod schema.
//
//   npm ci
//   LOCKGATE_API_KEY=... node openai_structured_outputs.mjs

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const MESSAGES = [
  { role: "system", content: "Extract carefully." },
  { role: "user", content: "Ann, 31, writes to ann@example.org" },
];
const SCHEMA = {
  type: "object",
  properties: {
    name: { type: "string" },
    age: { type: "integer", minimum: 0, maximum: 130 },
    mail: { type: "string", format: "email" },
  },
  required: ["name", "age", "mail"],
  additionalProperties: false,
};
const RESPONSE_FORMAT = { type: "json_schema", json_schema: { name: "person", strict: true, schema: SCHEMA } };

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new OpenAI({ baseURL: `${origin}/v1`, apiKey: process.env.LOCKGATE_API_KEY });
}

// Returns the answer when it is JSON with the keys that the schema asks for.
function check(answer) {
  const person = JSON.parse(answer);
  const isComplete = Object.keys(SCHEMA.properties).every((key) => key in person);
  if (!isComplete) throw new Error(`The answer does not follow the schema: ${answer}`);
  return JSON.stringify(person);
}

async function bySchema(client) {
  const request = { model: MODEL, max_tokens: 500, messages: MESSAGES, response_format: RESPONSE_FORMAT };
  const reply = await client.chat.completions.create(request);
  console.log(`JSON Schema: ${check(reply.choices[0].message.content)}`);
}

async function streamed(client) {
  const request = { model: MODEL, max_tokens: 500, messages: MESSAGES, response_format: RESPONSE_FORMAT };
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
    text += chunk.choices.map((choice) => choice.delta.content ?? "").join("");
  }
  console.log(`Streamed: ${check(text)}`);
}

async function parsed(client) {
  const Person = z.object({ name: z.string(), age: z.number().int(), mail: z.string() });
  const reply = await client.chat.completions.parse({
    model: MODEL,
    max_tokens: 500,
    messages: MESSAGES,
    response_format: zodResponseFormat(Person, "person"),
  });
  const person = reply.choices[0].message.parsed;
  if (!Number.isInteger(person?.age)) throw new Error(`The answer was not parsed: ${JSON.stringify(reply)}`);
  console.log(`Parsed: ${JSON.stringify(person)}`);
}

try {
  const client = connect();
  await bySchema(client);
  await streamed(client);
  await parsed(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
