// The Agents SDK for Node through the gateway: its loop with a tool, streams, and
// conversations that are kept by the server.
//
//     agents_node.mjs URL KEY PROTOCOL
import assert from 'node:assert/strict';
import { Agent, OpenAIConversationsSession, run, setDefaultOpenAIClient, setTracingDisabled, tool } from '@openai/agents';
import OpenAI from 'openai';
import { z } from 'zod';

const SAYS = 'Hello! I am a tiny test model: café ☕, done.';
const USEFUL = 'The tool said something useful; that is all?';
const [url, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url + '/api/v1/llm', apiKey, maxRetries: 0 });
setDefaultOpenAIClient(client);
setTracingDisabled(true);

const told = [];
const weather = tool({
  name: 'get_weather', description: 'Tells the weather.', parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => { told.push(city); return 'sunny'; },
});
const greeter = new Agent({ name: 'greeter', instructions: 'Be brief.', model: 'llama/tiny' });
const forecaster = new Agent({ name: 'forecaster', instructions: 'Be brief.', model: 'llama/tiny', tools: [weather] });
let runs = 0;

async function ran(promise) {
  const result = await promise;
  runs++;
  return result;
}

const first = await ran(run(greeter, 'Hi'));
assert.equal(first.finalOutput, SAYS);
const next = await ran(run(greeter, 'And then?', { previousResponseId: first.lastResponseId }));
assert.equal(next.finalOutput, SAYS);
const byHand = await ran(run(greeter, [...first.history, { role: 'user', content: 'And then?' }]));
assert.equal(byHand.finalOutput, SAYS);

const loop = await ran(run(forecaster, 'The weather in Paris?'));
assert.equal(loop.finalOutput, USEFUL);
assert.deepEqual(told, ['Paris']);
const streamed = await ran(run(forecaster, 'The weather in Paris?', { stream: true }));
let words = '';
for await (const piece of streamed.toTextStream()) words += piece;
await streamed.completed;
assert.equal(words, USEFUL);
assert.equal(told.length, 2);

const conversation = await client.conversations.create();
for (const agent of [greeter, forecaster]) {
  await ran(run(agent, 'Who am I?', { conversationId: conversation.id }));
}
const kinds = (await client.conversations.items.list(conversation.id, { order: 'asc' })).data.map((i) => i.type);
assert.deepEqual(kinds, ['message', 'message', 'message', 'function_call', 'function_call_output', 'message']);

const session = new OpenAIConversationsSession({ client });
await ran(run(greeter, 'Hi', { session }));
assert.equal((await ran(run(greeter, 'And then?', { session }))).finalOutput, SAYS);
assert.equal((await session.getItems()).length, 4);
console.log(runs + ' runs');
