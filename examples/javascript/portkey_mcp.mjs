// Remote MCP servers through Lockgate with the portkey-ai SDK: Claude calls their tools by itself.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_mcp.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
const SERVER = "library";

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({
    baseURL: `${origin}/v1`,
    apiKey: process.env.LOCKGATE_API_KEY,
    anthropicBeta: "mcp-client-2025-11-20",
    strictOpenAiCompliance: false, // the calls of remote tools come back as content blocks
  });
}

async function remoteTools(client) {
  const reply = await client.chat.completions.create({
    model: MODEL,
    max_tokens: 1024,
    messages: [{ role: "user", content: "Which tools do you have?" }],
    mcp_servers: [{ type: "url", name: SERVER, url: process.env.MCP_URL ?? "https://mcp.example.com/mcp" }],
    // The toolset says which of the server's tools Claude may use; this one allows all.
    tools: [{ type: "mcp_toolset", mcp_toolset: { mcp_server_name: SERVER } }],
  });
  const { message } = reply.choices[0];
  if (!message.content) throw new Error("The answer is empty.");
  const used = message.content_blocks.filter((block) => block.type === "mcp_tool_use").map((block) => block.name);
  console.log(`Answer: ${message.content}`);
  console.log(`Tools used: ${used.join(", ") || "none"}`);
}

try {
  const client = connect();
  await remoteTools(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
