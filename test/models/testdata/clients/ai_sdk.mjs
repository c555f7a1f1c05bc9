// The AI SDK through the gateway, by its providers for OpenAI and for Open Responses.
//
//     ai_sdk.mjs URL KEY PROTOCOL
import assert from 'node:assert/strict';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenResponses } from '@ai-sdk/open-responses';
import { generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const SAYS = 'Hello! I am a tiny test model: café ☕, done.';
const [url, apiKey, protocol] = process.argv.slice(2);
const openai = createOpenAI({ baseURL: url + '/api/v1/llm', apiKey });
const open = createOpenResponses({ name: 'rota', url: url + '/api/v1/llm/responses', apiKey });
const weather = tool({ description: 'Tells the weather.', inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => city + ': sunny' });
let calls = 0;

async function called(promise) {
  const value = await promise;
  calls++;
  return value;
}

for (const [name, model] of [['openai', openai.responses('llama/tiny')], ['open-responses', open('llama/tiny')]]) {
  const settings = { model, maxRetries: 0 };
  const r = await called(generateText({ ...settings, system: 'Be brief.', prompt: 'Hi' }));
  assert.equal(r.text, SAYS, name);
  assert.equal(r.finishReason, 'stop');
  assert.equal(r.usage.outputTokens, 19);

  const s = streamText({ ...settings, prompt: 'Hi', onError: ({ error }) => { throw error; } });
  let words = '';
  for await (const piece of s.textStream) words += piece;
  assert.equal(words, SAYS);
  assert.equal((await called(s.usage)).outputTokens, 19);

  const turns = await called(generateText({ ...settings, messages: [{ role: 'user', content: 'Hi' }, ...r.response.messages, { role: 'user', content: 'And then?' }] }));
  assert(turns.usage.inputTokens > r.usage.inputTokens);

  const loop = await called(generateText({ ...settings, tools: { get_weather: weather }, stopWhen: stepCountIs(3), prompt: 'The weather in Paris?' }));
  assert.deepEqual(loop.steps.map((step) => step.finishReason), ['tool-calls', 'stop']);
  assert.equal(loop.text, 'The tool said something useful; that is all?');
  const streamed = streamText({ ...settings, tools: { get_weather: weather }, stopWhen: stepCountIs(3), prompt: 'The weather in Paris?', onError: ({ error }) => { throw error; } });
  assert.equal(await called(streamed.text), loop.text);

  if (protocol === 'chat') { // llama.cpp does not hold an answer to a schema over the Responses API
    const schema = z.object({ answer: z.enum(['yes', 'no']), sure: z.boolean() });
    const parsed = await called(generateText({ ...settings, output: Output.object({ schema }), prompt: 'Is it so?' }));
    assert(['yes', 'no'].includes(parsed.output.answer));
  }
  await assert.rejects(generateText({ ...settings, prompt: 'word '.repeat(5000) }), (e) => e.statusCode === 400);
  calls++;
}

const model = openai.responses('llama/tiny');
const first = await called(generateText({ model, prompt: 'Hi' }));
const { responseId } = first.providerMetadata.openai;
const second = await called(generateText({ model, prompt: 'And then?', providerOptions: { openai: { previousResponseId: responseId } } }));
assert(second.usage.inputTokens > first.usage.inputTokens);
console.log(calls + ' calls');
