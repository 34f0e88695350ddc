// Saves, reads, changes and deletes a config with the JavaScript SDK of Portkey, and prints what it was told.
//
// GATEWAY_URL and GATEWAY_KEY come from the environment.

import { Portkey } from "portkey-ai";

const portkey = new Portkey({ baseURL: `${process.env.GATEWAY_URL}/v1`, apiKey: process.env.GATEWAY_KEY });
const told = {};

async function failure(work) {
  try {
    await work();
  } catch (error) {
    return { class: error.constructor.name, status: error.status, message: error.message };
  }
  return null;
}

told.created = await portkey.configs.create({
  name: "made in node",
  config: { retry: { attempts: 2 }, override_params: { camelCase: { innerName: 1 } }, targets: [{ provider: "@claude" }] },
});
const { slug } = told.created;
told.retrieved = await portkey.configs.retrieve({ slug });
told.updated = await portkey.configs.update({ slug, name: "changed", config: { provider: "@claude" } });
told.listed = await portkey.configs.list({});
told.versions = await portkey.get(`/configs/${slug}/versions`);
told.answered = (
  await new Portkey({ baseURL: portkey.baseURL, apiKey: process.env.GATEWAY_KEY, config: slug }).chat.completions.create({
    model: "claude-haiku-4-5",
    messages: [{ role: "user", content: "Hello" }],
  })
).choices[0].message.content;
told.refused = await failure(() => portkey.configs.create({ name: "x", config: { retry: { attempts: "x" } } }));
told.deleted = await portkey.configs.delete({ slug });
told.gone = await failure(() => portkey.configs.retrieve({ slug }));
console.log(JSON.stringify(told));
