// Makes calls with the Vercel AI SDK. Calls and outcomes look as in drive_langchain.py.
import { createInterface } from "node:readline";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, Output, streamText, tool } from "ai";
import { z } from "zod";

// For a model whose name it does not know, @ai-sdk/anthropic asks for 128,000 tokens, and not every Claude grants them.
const limits = { maxRetries: 0, maxOutputTokens: 2000 };

globalThis.AI_SDK_LOG_WARNINGS = false;

const forecast = z.object({ city: z.string(), days: z.number().int() });

function makeModel(call) {
  const settings = { apiKey: call.key, baseURL: `${call.origin}/v1` };
  // `chat` says which of OpenAI's two APIs to speak.
  return call.speaks === "anthropic" ? createAnthropic(settings)(call.model) : createOpenAI(settings).chat(call.model);
}

async function useTools(call, calls) {
  const getWeather = tool({
    description: "Tell the weather of a city for some days.",
    inputSchema: forecast,
    execute: async (input) => {
      calls.push(input);
      return `${input.city}: ${input.days} days of snow ❄`;
    },
  });
  const result = await generateText({
    model: makeModel(call),
    ...limits,
    prompt: call.prompt,
    tools: { get_weather: getWeather },
    stopWhen: isStepCount(3),
  });
  return { text: result.text, usage: result.usage.outputTokens };
}

async function stream(call) {
  let failure = null;
  const result = streamText({
    model: makeModel(call),
    ...limits,
    prompt: call.prompt,
    onError: ({ error }) => (failure = error),
  });
  const deltas = [];
  for await (const delta of result.textStream) deltas.push(delta);
  if (failure) throw failure;
  return { text: await result.text, deltas, usage: (await result.usage).outputTokens };
}

async function structure(call) {
  const byTool = call.prompt.includes("by a tool");
  const result = await generateText({
    model: makeModel(call),
    ...limits,
    prompt: call.prompt,
    output: Output.object({ schema: forecast }),
    providerOptions: { anthropic: { structuredOutputMode: byTool ? "jsonTool" : "outputFormat" } },
  });
  return { data: result.output, usage: result.usage.outputTokens };
}

const actions = { tools: useTools, stream, structured: structure };

async function drive(call) {
  const calls = [];
  const outcome = { id: call.id, text: "", calls, deltas: [], data: null, usage: null, error: null };
  try {
    Object.assign(outcome, await actions[call.action](call, calls));
  } catch (error) {
    outcome.error = `${error.name}: ${error.message} ${error.responseBody ?? ""}`;
  }
  return outcome;
}

for await (const line of createInterface({ input: process.stdin })) {
  const outcomes = [];
  for (const call of JSON.parse(line)) outcomes.push(await drive(call));
  console.log(JSON.stringify(outcomes));
}
