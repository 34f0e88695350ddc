// PDFs through Lockgate with the portkey-ai SDK: three ways to write the same document.
//
//   npm ci
//   LOCKGATE_API_KEY=... node portkey_pdf.mjs

// Named, not default: in a native ES module the default import of this package is the whole module, not the class.
import { Portkey } from "portkey-ai";

// "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
const MODEL = process.env.LOCKGATE_MODEL ?? "@anthropic/claude-sonnet-5-5";
// One page that says "Lockgate keeps the count."
const PDF = `%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 80]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj
4 0 obj<</Length 54>>stream
BT /F 18 Tf 20 35 Td (Lockgate keeps the count.) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
%%EOF
`;
const DATA = Buffer.from(PDF).toString("base64");

// Only the base URL and the key differ from a program that talks to the vendor directly.
function connect() {
  if (!process.env.LOCKGATE_API_KEY) throw new Error("Set LOCKGATE_API_KEY to a key of your gateway.");
  const origin = process.env.LOCKGATE_BASE_URL ?? "http://127.0.0.1:8787";
  return new Portkey({ baseURL: `${origin}/v1`, apiKey: process.env.LOCKGATE_API_KEY });
}

async function ask(client, document) {
  const reply = await client.chat.completions.create({
    model: MODEL,
    max_tokens: 1024,
    messages: [
      { role: "system", content: "You are a helpful document analysis assistant." },
      { role: "user", content: [{ type: "text", text: "What does this document say?" }, document] },
    ],
  });
  const text = reply.choices[0].message.content;
  if (!text) throw new Error("The answer is empty.");
  return text;
}

async function asFile(client) {
  const file = { mime_type: "application/pdf", file_data: DATA };
  console.log(`Base64: ${await ask(client, { type: "file", file })}`);
}

async function asDataUrl(client) {
  const file = { filename: "count.pdf", file_data: `data:application/pdf;base64,${DATA}` };
  console.log(`Data URL: ${await ask(client, { type: "file", file })}`);
}

async function asImageUrl(client) {
  const image_url = { url: `data:application/pdf;base64,${DATA}` };
  console.log(`Image URL: ${await ask(client, { type: "image_url", image_url })}`);
}

try {
  const client = connect();
  await asFile(client);
  await asDataUrl(client);
  await asImageUrl(client);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
