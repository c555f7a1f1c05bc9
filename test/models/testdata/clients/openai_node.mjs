// openai-node through the gateway: its calls, its stream helper, and what is kept.
//
//     openai_node.mjs URL KEY PROTOCOL
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';

const SAYS = 'Hello! I am a tiny test model: café ☕, done.';
const model = 'llama/tiny', slow = 'slow/any';
const [url, apiKey, protocol] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url + '/api/v1/llm', apiKey, maxRetries: 0 });
const weather = {
  type: 'function', name: 'get_weather', description: 'Tells the weather.', strict: true,
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false },
};
let calls = 0;

async function called(promise) {
  const value = await promise;
  calls++;
  return value;
}

async function refused(kind, promise, more = {}) {
  await assert.rejects(promise, (e) => {
    assert(e instanceof kind, e);
    for (const name in more) assert.equal(e[name], more[name]);
    return true;
  });
  calls++;
}

async function all(iterable) {
  const list = [];
  for await (const e of iterable) list.push(e);
  return list;
}

const plain = (value) => JSON.parse(JSON.stringify(value));

async function textAndUsage() {
  const r = await called(client.responses.create({ model, input: 'Hi', instructions: 'Be brief.', metadata: { a: 'b' } }));
  assert.equal(r.output_text, SAYS);
  assert.deepEqual([r.status, r.metadata, r.instructions, r.usage.output_tokens], ['completed', { a: 'b' }, 'Be brief.', 19]);
  assert.deepEqual(plain(await called(client.responses.retrieve(r.id))), plain(r));
  const items = await called(client.responses.inputItems.list(r.id, { limit: 1 }));
  assert.equal(items.data[0].content[0].text, 'Hi');
  const { data, response } = await called(client.responses.create({ model, input: [{ role: 'developer', content: 'Be kind.' }, { role: 'user', content: 'Hi' }], store: false }).withResponse());
  assert.equal(data.output_text, SAYS);
  assert(response.headers.get('x-request-id'));
  await refused(OpenAI.NotFoundError, client.responses.retrieve(data.id));
  return r;
}

async function streams() {
  const seen = await all(await called(client.responses.create({ model, input: 'Hi', stream: true })));
  assert.deepEqual(seen.map((e) => e.sequence_number), seen.map((_, n) => n));
  assert.equal(seen.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join(''), SAYS);
  const { id } = seen.at(-1).response;
  assert.deepEqual(await all(await called(client.responses.retrieve(id, { stream: true }))), seen);
  assert.deepEqual(await all(await called(client.responses.retrieve(id, { stream: true, starting_after: 4 }))), seen.slice(5));
  let words = '';
  const helper = client.responses.stream({ model, input: 'Hi' }).on('response.output_text.delta', (e) => (words += e.delta));
  assert.equal((await called(helper.finalResponse())).output_text, SAYS);
  assert.equal(words, SAYS);
  assert.equal((await called(client.responses.stream({ response_id: id }).finalResponse())).output_text, SAYS);
  assert.equal((await called(client.responses.stream({ response_id: id, starting_after: 4 }).finalResponse())).output_text, SAYS);
  const endless = await called(client.responses.create({ model: slow, input: 'Hi', stream: true }));
  for await (const e of endless) {
    if (e.type === 'response.output_text.delta') break; // the caller goes away
  }
}

async function chain(first) {
  const second = await called(client.responses.create({ model, input: 'And then?', previous_response_id: first.id }));
  const third = await called(client.responses.create({ model, input: 'And then?', previous_response_id: second.id }));
  assert(first.usage.input_tokens < second.usage.input_tokens && second.usage.input_tokens < third.usage.input_tokens);
  await refused(OpenAI.BadRequestError, client.responses.create({ model, input: 'x', previous_response_id: 'resp_none' }),
    { code: 'previous_response_not_found', param: 'previous_response_id' });
}

async function tools() {
  const r = await called(client.responses.create({ model, input: 'The weather in Paris?', tools: [weather] }));
  const [call] = r.output;
  assert.deepEqual([call.type, call.name, call.arguments, call.status], ['function_call', 'get_weather', '{"city": "Paris"}', 'completed']);
  const output = { type: 'function_call_output', call_id: call.call_id, output: 'sunny' };
  const done = await called(client.responses.create({ model, tools: [weather], previous_response_id: r.id, input: [output] }));
  assert.equal(done.output_text, 'The tool said something useful; that is all?');
  const byHand = [{ role: 'user', content: 'The weather in Paris?' }, ...r.output, output];
  assert.equal((await called(client.responses.create({ model, tools: [weather], input: byHand, store: false }))).output_text, done.output_text);
  let args = '';
  const helper = client.responses.stream({ model, input: 'The weather in Paris?', tools: [weather] }).on('response.function_call_arguments.delta', (e) => (args += e.delta));
  const final = await called(helper.finalResponse());
  assert.equal(final.output[0].arguments, args);
  await refused(OpenAI.BadRequestError, client.responses.create({ model, input: [{ ...output, call_id: 'call_none' }] }), { param: 'input.0' });
  if (protocol !== 'chat') return; // llama.cpp does not hold an answer to a schema over the Responses API
  const format = zodTextFormat(z.object({ answer: z.enum(['yes', 'no']), sure: z.boolean() }), 'verdict');
  const parsed = await called(client.responses.parse({ model, input: 'Is it so?', text: { format } }));
  assert(['yes', 'no'].includes(parsed.output_parsed.answer));
  const streamed = await called(client.responses.stream({ model, input: 'Is it so?', text: { format } }).finalResponse());
  assert.equal(typeof streamed.output_parsed.sure, 'boolean');
}

async function conversations() {
  const c = await called(client.conversations.create({ metadata: { topic: 'x' }, items: [{ type: 'message', role: 'user', content: 'I am Ada.' }] }));
  assert.deepEqual(plain(await called(client.conversations.retrieve(c.id))), plain(c));
  assert.deepEqual((await called(client.conversations.update(c.id, { metadata: { topic: 'y' } }))).metadata, { topic: 'y' });
  const r = await called(client.responses.create({ model, input: 'Who am I?', conversation: c.id }));
  assert.equal(r.conversation.id, c.id);
  const again = await called(client.responses.create({ model, input: 'Who am I?', conversation: { id: c.id } }));
  assert(again.usage.input_tokens > r.usage.input_tokens);
  await called(client.conversations.items.create(c.id, { items: [{ type: 'message', role: 'user', content: 'More.' }] }));
  const items = await called(all(client.conversations.items.list(c.id, { limit: 2, order: 'asc' })));
  assert.deepEqual(items.map((i) => i.role), ['user', 'user', 'assistant', 'user', 'assistant', 'user']);
  assert.deepEqual(plain(await called(client.conversations.items.retrieve(items[2].id, { conversation_id: c.id }))), plain(items[2]));
  assert.equal((await called(client.conversations.items.delete(items[5].id, { conversation_id: c.id }))).id, c.id);
  const busy = await called(client.responses.create({ model: slow, input: 'Hi', conversation: c.id, stream: true }));
  for await (const _ of busy) {
    await refused(OpenAI.ConflictError, client.responses.create({ model, input: 'x', conversation: c.id }), { code: 'conversation_locked' });
    break;
  }
  for (;;) {
    try {
      assert((await called(client.conversations.delete(c.id))).deleted);
      break;
    } catch (e) {
      assert(e instanceof OpenAI.ConflictError, e);
      await sleep(50);
    }
  }
  await refused(OpenAI.NotFoundError, client.conversations.retrieve(c.id));
}

async function ended(id) {
  for (;;) {
    const r = await client.responses.retrieve(id);
    if (!['queued', 'in_progress'].includes(r.status)) return r;
    await sleep(20);
  }
}

async function background() {
  const r = await called(client.responses.create({ model, input: 'Hi', background: true }));
  assert.equal(r.status, 'queued');
  assert.equal((await ended(r.id)).output_text, SAYS);
  const helper = client.responses.stream({ model, input: 'Hi', background: true });
  assert.equal((await called(helper.finalResponse())).output_text, SAYS);
  const endless = await called(client.responses.create({ model: slow, input: 'Hi', background: true }));
  assert.equal((await called(client.responses.cancel(endless.id))).status, 'cancelled');
  const cancelled = await called(client.responses.stream({ response_id: endless.id }).finalResponse());
  assert.equal(cancelled.status, 'cancelled');
  await refused(OpenAI.APIError, client.responses.cancel(r.id));
  await called(client.responses.delete(r.id));
  await refused(OpenAI.NotFoundError, client.responses.retrieve(r.id));
}

async function errorsAndModels() {
  const names = (await called(all(client.models.list()))).map((m) => m.id);
  assert(names.some((n) => n.endsWith('tiny')), names);
  assert.equal((await called(client.models.retrieve(names[0]))).id, names[0]);
  await refused(OpenAI.AuthenticationError, client.withOptions({ apiKey: 'rk_wrong' }).responses.create({ model, input: 'x' }));
  await refused(OpenAI.BadRequestError, client.responses.create({ model: 'nobody/none', input: 'x' }), { param: 'model' });
  await refused(OpenAI.BadRequestError, client.responses.create({ model }), { param: 'input' });
  await refused(OpenAI.BadRequestError, client.responses.create({ model, input: 'word '.repeat(5000), truncation: 'disabled' }));
  await refused(OpenAI.BadRequestError, client.responses.create({ model, input: 'word '.repeat(5000), truncation: 'disabled', stream: true }));
}

await chain(await textAndUsage());
await streams();
await tools();
await conversations();
await background();
await errorsAndModels();
console.log(calls + ' calls');
