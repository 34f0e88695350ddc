// Every method of the model catalogue with the Portkey SDK; prints what it was told.
import { Portkey } from "portkey-ai";

const { GATEWAY_URL, ADMIN_KEY, UPSTREAM_KEY, SIMULATOR_URL } = process.env;
const client = new Portkey({ baseURL: `${GATEWAY_URL}/v1`, apiKey: ADMIN_KEY });
const slug = "claude-js";
const plain = (value) => JSON.parse(JSON.stringify(value));

const workspaces = await client.admin.workspaces.list({});
const home = workspaces.data.find((one) => one.is_default);
await client.integrations.create({
  name: "Claude", slug, aiProviderId: "anthropic", key: UPSTREAM_KEY,
  configurations: { custom_host: SIMULATOR_URL },
});
await client.integrations.list({ type: "organisation" });
await client.integrations.update({ slug, name: "Claude, renamed" });
const integration = await client.integrations.retrieve({ slug });
await client.integrations.workspaces.update({
  slug, workspaces: [{ id: home.id, enabled: true, usage_limits: [{ type: "cost", credit_limit: 9 }] }],
});
const access = await client.integrations.workspaces.list({ slug });
await client.integrations.models.update({ slug, models: [{ slug: "house", enabled: true, is_custom: true }] });
const models = await client.integrations.models.list({ slug });
const deleted = [plain(await client.integrations.models.delete({ slug, slugs: "house" }))];
await client.providers.create({
  name: "two", slug: `${slug}-two`, integration_id: slug, workspace_id: home.id,
  usage_limits: { type: "cost", credit_limit: 5 }, rate_limits: [{ type: "requests", unit: "rpm", value: 60 }],
});
await client.providers.list({ workspace_id: home.id });
await client.providers.update({ slug: `${slug}-two`, workspace_id: home.id, note: "n" });
const provider = await client.providers.retrieve({ slug: `${slug}-two`, workspace_id: home.id });
deleted.push(plain(await client.providers.delete({ slug: `${slug}-two`, workspace_id: home.id })));
const made = await client.virtualKeys.create({
  name: "vk", provider: "anthropic", key: UPSTREAM_KEY, apiVersion: "2023-06-01",
});
await client.virtualKeys.list();
await client.virtualKeys.update({ slug: made.slug, name: "vk2" });
const virtualKey = await client.virtualKeys.retrieve({ slug: made.slug });
await client.virtualKeys.delete({ slug: made.slug });
deleted.push(plain(await client.integrations.delete({ slug })));
console.log(JSON.stringify(plain({ integration, access, models, provider, virtualKey, deleted })));
