// Calls methods of the JavaScript SDK by name. Reads one line, a JSON list of {key, base_url, name, args}, and answers
// with a JSON list of {value} or {status, message}. "$N.field" in args stands for a field of the value of call N.

import { createInterface } from "node:readline";
import { Portkey } from "portkey-ai";

function fill(part, done) {
  if (typeof part === "string") {
    const found = part.match(/^\$(\d+)\.(\w+)$/);
    return found ? done[Number(found[1])].value[found[2]] : part;
  }
  if (Array.isArray(part)) return part.map((each) => fill(each, done));
  if (part && typeof part === "object") {
    return Object.fromEntries(Object.entries(part).map(([name, each]) => [name, fill(each, done)]));
  }
  return part;
}

async function run(call, done) {
  const client = new Portkey({ apiKey: fill(call.key, done), baseURL: call.base_url });
  const names = call.name.split(".");
  const owner = names.slice(0, -1).reduce((found, name) => found[name], client);
  try {
    const value = await owner[names.at(-1)](...fill(call.args, done));
    return { value: JSON.parse(JSON.stringify(value)) };
  } catch (error) {
    return { status: error.status ?? null, message: String(error.message) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const done = [];
  for (const call of JSON.parse(line)) done.push(await run(call, done));
  process.stdout.write(JSON.stringify(done) + "\n");
}
