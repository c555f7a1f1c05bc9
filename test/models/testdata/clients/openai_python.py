"""openai-python through the gateway: sync, async, its stream helper, and what is kept.

    openai_python.py URL KEY PROTOCOL

PROTOCOL is how the gateway asks the model.
"""
import asyncio
import sys
import time
from typing import Literal

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

SAYS = "Hello! I am a tiny test model: café ☕, done."
MODEL, SLOW = "llama/tiny", "slow/any"
WEATHER = {
    "type": "function", "name": "get_weather", "description": "Tells the weather.", "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
}
url, key = sys.argv[1] + "/api/v1/llm", sys.argv[2]
client = OpenAI(base_url=url, api_key=key, max_retries=0)
calls = 0


def count(value=None):
    global calls
    calls += 1
    return value


def refused(kind, fn, code=None, param=None):
    try:
        fn()
    except kind as e:
        count()
        assert code is None or e.code == code, e
        assert param is None or e.param == param, e
        return e
    raise AssertionError("%s was expected" % kind)


def text_and_usage():
    r = count(client.responses.create(model=MODEL, input="Hi", instructions="Be brief.", metadata={"a": "b"}))
    assert (r.output_text, r.status, r.metadata, r.instructions) == (SAYS, "completed", {"a": "b"}, "Be brief."), r
    assert r.usage.output_tokens == 19 and r.usage.total_tokens == r.usage.input_tokens + 19, r.usage
    same = count(client.responses.retrieve(r.id))
    assert same == r, (same, r)
    page = count(client.responses.input_items.list(r.id, limit=1))
    assert page.data[0].content[0].text == "Hi" and not page.has_more
    raw = count(client.responses.with_raw_response.create(model=MODEL, input="Hi"))
    assert raw.parse().output_text == SAYS and raw.headers["x-request-id"]
    with client.responses.with_streaming_response.create(model=MODEL, input="Hi") as s:
        assert count(s.parse()).output_text == SAYS
    listed = count(client.responses.create(model=MODEL, input=[
        {"role": "developer", "content": "Be kind."}, {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}], temperature=0.2, top_p=0.9, max_output_tokens=50, store=False))
    assert listed.output_text == SAYS and listed.temperature == 0.2 and listed.max_output_tokens == 50
    refused(openai.NotFoundError, lambda: client.responses.retrieve(listed.id))
    return r


def streams():
    seen = list(count(client.responses.create(model=MODEL, input="Hi", stream=True)))
    assert [e.sequence_number for e in seen] == list(range(len(seen)))
    assert seen[0].type == "response.created" and seen[-1].type == "response.completed"
    assert "".join(e.delta for e in seen if e.type == "response.output_text.delta") == SAYS
    r = seen[-1].response
    again = list(count(client.responses.retrieve(r.id, stream=True)))
    assert again == seen
    rest = list(count(client.responses.retrieve(r.id, stream=True, starting_after=4)))
    assert rest == seen[5:]
    with client.responses.stream(model=MODEL, input="Hi") as s:
        words = "".join(e.delta for e in s if e.type == "response.output_text.delta")
        assert count(s.get_final_response()).output_text == words == SAYS
    with client.responses.stream(response_id=r.id) as s:
        assert count(s.until_done().get_final_response()).output_text == SAYS
    with client.responses.stream(response_id=r.id, starting_after=4) as s:
        assert count(s.get_final_response()).output_text == SAYS
    with count(client.responses.create(model=SLOW, input="Hi", stream=True)) as s:
        for e in s:
            if e.type == "response.output_text.delta":
                break  # the caller goes away
    return r


def chain(first):
    second = count(client.responses.create(model=MODEL, input="And then?", previous_response_id=first.id))
    third = count(client.responses.create(model=MODEL, input="And then?", previous_response_id=second.id))
    assert first.usage.input_tokens < second.usage.input_tokens < third.usage.input_tokens
    assert third.previous_response_id == second.id
    refused(openai.BadRequestError, lambda: client.responses.create(model=MODEL, input="x", previous_response_id="resp_none"),
            "previous_response_not_found", "previous_response_id")


class Verdict(BaseModel):
    answer: Literal["yes", "no"]
    sure: bool


def tools():
    r = count(client.responses.create(model=MODEL, input="The weather in Paris?", tools=[WEATHER]))
    call = r.output[0]
    assert (call.type, call.name, call.arguments, call.status) == ("function_call", "get_weather", '{"city": "Paris"}', "completed"), call
    done = count(client.responses.create(model=MODEL, previous_response_id=r.id, tools=[WEATHER], input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]))
    assert done.output_text == "The tool said something useful; that is all?", done
    by_hand = [{"role": "user", "content": "The weather in Paris?"}, *r.output, {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    assert count(client.responses.create(model=MODEL, input=by_hand, tools=[WEATHER], store=False)).output_text == done.output_text
    with client.responses.stream(model=MODEL, input="The weather in Paris?", tools=[WEATHER]) as s:
        kinds = [e.type for e in s]
        assert "response.function_call_arguments.delta" in kinds and "response.function_call_arguments.done" in kinds, kinds
        assert count(s.get_final_response()).output[0].parsed_arguments == {"city": "Paris"}
    refused(openai.BadRequestError, lambda: client.responses.create(model=MODEL, input=[{"type": "function_call_output", "call_id": "call_none", "output": "x"}]), param="input.0")
    if sys.argv[3] != "chat":
        return  # llama.cpp does not hold an answer to a schema over the Responses API
    parsed = count(client.responses.parse(model=MODEL, input="Is it so?", text_format=Verdict))
    assert isinstance(parsed.output_parsed, Verdict), parsed
    with client.responses.stream(model=MODEL, input="Is it so?", text_format=Verdict) as s:
        assert isinstance(count(s.get_final_response()).output_parsed, Verdict)


def conversations():
    c = count(client.conversations.create(metadata={"topic": "x"}, items=[{"type": "message", "role": "user", "content": "I am Ada."}]))
    assert count(client.conversations.retrieve(c.id)) == c
    assert count(client.conversations.update(c.id, metadata={"topic": "y"})).metadata == {"topic": "y"}
    r = count(client.responses.create(model=MODEL, input="Who am I?", conversation=c.id))
    assert r.conversation.id == c.id
    again = count(client.responses.create(model=MODEL, input="Who am I?", conversation={"id": c.id}))
    assert again.usage.input_tokens > r.usage.input_tokens
    added = count(client.conversations.items.create(c.id, items=[{"type": "message", "role": "user", "content": "More."}]))
    assert added.data[0].type == "message"
    items = list(count(client.conversations.items.list(c.id, limit=2, order="asc")))
    assert [i.role for i in items] == ["user", "user", "assistant", "user", "assistant", "user"], items
    item = count(client.conversations.items.retrieve(items[2].id, conversation_id=c.id))
    assert item == items[2]
    assert count(client.conversations.items.delete(items[5].id, conversation_id=c.id)).id == c.id
    with count(client.responses.create(model=SLOW, input="Hi", conversation=c.id, stream=True)) as s:
        next(iter(s))
        e = refused(openai.ConflictError, lambda: client.responses.create(model=MODEL, input="x", conversation=c.id), "conversation_locked")
        assert e.response.headers["retry-after"]
    for _ in range(200):
        try:
            deleted = count(client.conversations.delete(c.id))
            break
        except openai.ConflictError:
            time.sleep(0.05)
    assert deleted.deleted
    refused(openai.NotFoundError, lambda: client.conversations.retrieve(c.id))


def ended(id):
    while (r := client.responses.retrieve(id)).status in ("queued", "in_progress"):
        time.sleep(0.02)
    return r


def background():
    r = count(client.responses.create(model=MODEL, input="Hi", background=True))
    assert r.status == "queued"
    assert ended(r.id).output_text == SAYS
    seen = list(count(client.responses.create(model=MODEL, input="Hi", background=True, stream=True)))
    assert seen[0].type == "response.created" and seen[-1].response.output_text == SAYS
    endless = count(client.responses.create(model=SLOW, input="Hi", background=True))
    assert count(client.responses.cancel(endless.id)).status == "cancelled"
    assert count(client.responses.cancel(endless.id)).status == "cancelled"
    assert ended(endless.id).status == "cancelled"
    refused(openai.APIStatusError, lambda: client.responses.cancel(r.id))
    count(client.responses.delete(r.id))
    refused(openai.NotFoundError, lambda: client.responses.retrieve(r.id))


def errors_and_models():
    names = [m.id for m in count(client.models.list())]
    assert any(n.endswith("tiny") for n in names), names
    assert count(client.models.retrieve(names[0])).id == names[0]
    refused(openai.NotFoundError, lambda: client.models.retrieve("none"))
    refused(openai.AuthenticationError, lambda: client.with_options(api_key="rk_wrong").responses.create(model=MODEL, input="x"))
    refused(openai.BadRequestError, lambda: client.responses.create(model="nobody/none", input="x"), param="model")
    refused(openai.BadRequestError, lambda: client.responses.create(model=MODEL), param="input")
    refused(openai.BadRequestError, lambda: client.responses.create(model=MODEL, input="word " * 5000, truncation="disabled"))


async def asynchronous():
    client = AsyncOpenAI(base_url=url, api_key=key, max_retries=0)
    many = await asyncio.gather(*(client.responses.create(model=MODEL, input="Hi") for _ in range(4)))
    assert [count(r).output_text for r in many] == [SAYS] * 4
    async with client.responses.stream(model=MODEL, input="Hi", previous_response_id=many[0].id) as s:
        assert count(await s.get_final_response()).output_text == SAYS
    c = await client.conversations.create()
    async for e in await client.responses.create(model=MODEL, input="Hi", conversation=count(c).id, stream=True):
        last = e
    assert count(last).response.output_text == SAYS
    assert [i.role async for i in client.conversations.items.list(c.id, order="asc")] == ["user", "assistant"]
    await client.close()


chain(text_and_usage())
streams()
tools()
conversations()
background()
errors_and_models()
asyncio.run(asynchronous())
print("%d calls" % calls)
