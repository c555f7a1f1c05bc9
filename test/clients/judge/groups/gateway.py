"""Responses and conversations, and what the gateway of the vendor has beside them."""

import json

from case import case, check, equal, until

TITLE = "Gateway"
COVERED = ["llm.responses", "llm.conversations"]

NOBODY = "0192f0c1d2e37f00a1b2c3d4e5f60718"
NO_RESPONSE, NO_CONVERSATION = "resp_" + NOBODY, "conv_" + NOBODY
WRONG_KEY = "rk_nobody_has_this_key_at_all"
LOOK_UP = {"type": "function", "name": "look_up", "strict": False, "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}}
CALL_OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "It rains."}


def said(text, role="user"):
    return {"type": "message", "role": role, "content": [{"type": "input_text" if role == "user" else "output_text", "text": text}]}


def ids(page):
    return [o.id for o in page.data]


def text_of(r):
    return "".join(p.text for item in r.output if getattr(item, "type", None) == "message" for p in item.content)


def listed(c, stream):
    """All events of a stream, none of which the client takes for unknown."""
    if c.is_async:

        async def all():
            return [e async for e in stream]

        got = c.world.loop.run_until_complete(all())
    else:
        got = list(stream)
    for e in got:
        check("unknown" not in type(e.data).__name__.lower(), "the client does not know", e)
        equal(e.event, e.data.type, "name of an event")
    return [e.data for e in got]


def whole(events, status="completed"):
    """Checks a stream from its beginning, and returns its response."""
    equal([e.sequence_number for e in events], list(range(len(events))), "sequence of numbers")
    equal((events[0].type, events[-1].type), ("response.created", "response." + status))
    equal({e.response.id for e in events if hasattr(e, "response")}, {events[0].response.id}, "ids of the response")
    return events[-1].response


def response(c, input="What is new?", **fields):
    return c.api("POST", "/llm/responses", {"model": "small", "input": input, **fields})["id"]


def held(c, input="hold", **fields):
    """A response in the background that does not end by itself."""
    id = response(c, input, background=True, **fields)
    until(lambda r: r["status"] == "in_progress", lambda: c.api("GET", "/llm/responses/" + id))
    return id


def ended(c, id):
    return until(lambda r: r["status"] not in ("queued", "in_progress"), lambda: c.api("GET", "/llm/responses/" + id))


def conversation(c, *items, **fields):
    return c.api("POST", "/llm/conversations", {"items": list(items), **fields})["id"]


def items(c, id):
    return c.api("GET", f"/llm/conversations/{id}/items?limit=100")["data"]


def unauthorized_or_absent(op, **arguments):
    @case(op, "401 for a wrong key")
    def _(c):
        c.fails(401, key=WRONG_KEY, **arguments)

    @case(op, "404 for what is not there")
    def _(c):
        c.fails(404, **arguments)


def not_another_end_users(op, make, name):
    @case(op, "404 for another end user's")
    def _(c):
        made = make(c)
        more = {"input": "go"} if op.endswith("wake") else {"metadata": {}} if op.endswith("update") else {}
        c.fails(404, x_on_behalf_of=c.user + "-other", **{name: made}, **more)


# Responses.


@case("llm.responses.create", "only what is required")
def _(c):
    r = c.call(model="small", input="What is new?")
    equal((r.object, r.status, r.model, text_of(r)), ("response", "completed", "small", "done"))
    equal((r.store, r.background, r.error, r.incomplete_details, r.previous_response_id), (True, False, None, None, None))
    check(r.completed_at >= r.created_at > 1.7e9, r)
    equal((r.usage.input_tokens, r.usage.output_tokens, r.usage.total_tokens), (1, 1, 2))
    equal((r.usage.input_tokens_details.cached_tokens, r.usage.output_tokens_details.reasoning_tokens), (0, 0))


@case("llm.responses.create", "every field")
def _(c):
    r = c.call(
        model="small", input=[said("Hello."), said("Hi!", "assistant"), said("What is new?")], instructions="Be brief.",
        include=["reasoning.encrypted_content"], text={"format": {"type": "json_schema", "name": "news", "schema": {"type": "object"}}},
        stream=False, store=True, background=False, tools=[LOOK_UP], tool_choice="auto", parallel_tool_calls=False, max_tool_calls=7,
        reasoning={"effort": "low", "summary": "auto"}, max_output_tokens=100, temperature=0.5, top_p=0.9, stop=["END"], top_k=40, min_p=0.1,
        repetition_penalty=1.1, top_logprobs=2, truncation="disabled", presence_penalty=0.1, frequency_penalty=0.2,
        service_tier="auto", prompt_cache_key="k", safety_identifier="s", metadata={"team": "ops"}, user="u",
    )
    equal((r.instructions, r.metadata, r.max_tool_calls, r.max_output_tokens), ("Be brief.", {"team": "ops"}, 7, 100))
    equal((r.parallel_tool_calls, r.truncation, r.user, len(r.tools)), (False, "disabled", "u", 1))
    equal(c.api("GET", "/llm/responses/" + r.id)["text"]["format"]["name"], "news")


@case("llm.responses.create", "a stream")
def _(c):
    events = listed(c, c.call(model="small", input="What is new?", stream=True))
    r = whole(events)
    equal(text_of(r), "done")
    equal("".join(e.delta for e in events if e.type == "response.output_text.delta"), "done")
    equal(c.api("GET", "/llm/responses/" + r.id)["status"], "completed")


@case("llm.responses.create", "a function call and its output")
def _(c):
    first = c.call(model="small", input="call", tools=[LOOK_UP])
    call = first.output[0]
    equal((call.type, call.call_id, call.name, json.loads(call.arguments)), ("function_call", "call_1", "look_up", {"q": "weather"}))
    r = c.call(model="small", input=[CALL_OUTPUT, said("recall")], tools=[LOOK_UP], previous_response_id=first.id)
    equal(text_of(r), 'call | {"q":"weather"} | It rains. | recall')


@case("llm.responses.create", "a function call as a stream")
def _(c):
    events = listed(c, c.call(model="small", input="call", tools=[LOOK_UP], stream=True))
    equal(whole(events).output[0].name, "look_up")
    equal([json.loads(e.arguments) for e in events if e.type == "response.function_call_arguments.done"], [{"q": "weather"}])


@case("llm.responses.create", "reasoning is an item")
def _(c):
    events = listed(c, c.call(model="small", input="think", stream=True))
    r = whole(events)
    equal([i.type for i in r.output], ["reasoning", "message"])
    equal(r.output[0].summary[0].text, "Hm.")


@case("llm.responses.create", "400 for an output without its call")
def _(c):
    c.fails(400, "call_1", model="small", input=[CALL_OUTPUT])


@case("llm.responses.create", "after another, which the model is told")
def _(c):
    first = c.call(model="small", input="My name is Ada.", instructions="Rhyme.")
    second = c.call(model="small", input="I am 36.", previous_response_id=first.id)
    r = c.call(model="small", input="recall", previous_response_id=second.id)
    equal((r.previous_response_id, text_of(r)), (second.id, "My name is Ada. | done | I am 36. | done | recall"))


@case("llm.responses.create", "400 after one that is not there")
def _(c):
    e = c.fails(400, NO_RESPONSE, model="small", input="recall", previous_response_id=NO_RESPONSE)
    equal(json.loads(e.body)["error"]["code"], "previous_response_not_found")


@case("llm.responses.create", "400 after another end user's")
def _(c):
    id = response(c)
    c.fails(400, id, model="small", input="recall", previous_response_id=id, x_on_behalf_of=c.user + "-other")


@case("llm.responses.create", "in a conversation, which the model is told")
def _(c):
    id = conversation(c, said("My name is Ada."))
    r = c.call(model="small", input="I am 36.", conversation=id)
    equal(r.conversation.id, id)
    r = c.call(model="small", input="recall", conversation={"id": id})
    equal(text_of(r), "My name is Ada. | I am 36. | done | recall")
    equal([i["role"] for i in items(c, id)], ["user", "user", "assistant", "user", "assistant"])
    equal(len({i["id"] for i in items(c, id)}), 5, "number of ids")


@case("llm.responses.create", "as a stream in a conversation")
def _(c):
    id = conversation(c, said("My name is Ada."))
    r = whole(listed(c, c.call(model="small", input="recall", conversation=id, stream=True)))
    equal((r.conversation.id, text_of(r)), (id, "My name is Ada. | recall"))
    equal(len(items(c, id)), 3)


@case("llm.responses.create", "409 in a conversation that is busy")
def _(c):
    id = conversation(c)
    busy = held(c, conversation=id)
    c.fails(409, "conversation", model="small", input="What is new?", conversation=id)
    c.api("POST", f"/llm/responses/{busy}/cancel")
    equal(text_of(c.call(model="small", input="What is new?", conversation=id)), "done")


@case("llm.responses.create", "404 in a conversation that is not there")
def _(c):
    c.fails(404, model="small", input="What is new?", conversation=NO_CONVERSATION)


@case("llm.responses.create", "in the background")
def _(c):
    r = c.call(model="small", input="What is new?", background=True)
    equal((r.status, r.background, r.output, r.completed_at, r.usage.total_tokens), ("queued", True, [], None, 0))
    r = until(lambda r: r.status not in ("queued", "in_progress"), lambda: c.call("llm.responses.get", response_id=r.id))
    equal((r.status, text_of(r)), ("completed", "done"))


@case("llm.responses.create", "as a stream in the background")
def _(c):
    r = whole(listed(c, c.call(model="small", input="What is new?", background=True, stream=True)))
    equal((r.status, text_of(r), r.background), ("completed", "done", True))


@case("llm.responses.create", "not kept")
def _(c):
    r = c.call(model="small", input="What is new?", store=False)
    equal((r.status, r.store), ("completed", False))
    c.fails(404, op="llm.responses.get", response_id=r.id)


@case("llm.responses.create", "one that fails")
def _(c):
    r = c.call(model="small", input="fail")
    equal((r.status, r.error.code), ("failed", "server_error"))
    check("does not work" in r.error.message, r.error)


@case("llm.responses.create", "a stream that fails")
def _(c):
    whole(listed(c, c.call(model="small", input="fail", stream=True)), "failed")


@case("llm.responses.create", "one that a limit stops")
def _(c):
    r = c.call(model="small", input="limit")
    equal((r.status, r.incomplete_details.reason), ("incomplete", "max_output_tokens"))


@case("llm.responses.create", "a stream that a limit stops")
def _(c):
    whole(listed(c, c.call(model="small", input="limit", stream=True)), "incomplete")


@case("llm.responses.create", "outlasts a model that is silent for 7 seconds")
def _(c):
    equal(text_of(c.call(model="small", input="quiet")), "done")


@case("llm.responses.create", "a stream outlasts a model that is silent for 7 seconds")
def _(c):
    equal(text_of(whole(listed(c, c.call(model="small", input="quiet", stream=True, timeout_ms=5000)))), "done")


@case("llm.responses.create", "goes to the fallback models")
def _(c):
    c.needs("fallback_models")
    r = c.call(model="broken", fallback_models=["small"], input="What is new?")
    equal((r.status, text_of(r)), ("completed", "done"))


@case("llm.responses.create", "501 for a webhook")
def _(c):
    c.fails(501, "webhook", model="small", input="What is new?", background=True, webhook_url="https://example.com")


@case("llm.responses.create", "400 for a field out of range")
def _(c):
    c.fails(400, "metadata", model="small", input="What is new?", metadata={"k" * 65: "v"})


@case("llm.responses.create", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY, model="small", input="What is new?")


@case("llm.responses.create", "403 for a key that may only read")
def _(c):
    c.fails(403, "write:responses", key=c.scoped_key("read:responses"), model="small", input="What is new?")


@case("llm.responses.get", "as it was answered")
def _(c):
    made = c.call("llm.responses.create", model="small", input="What is new?", metadata={"a": "b"})
    equal(c.call(response_id=made.id), made)


@case("llm.responses.get", "one that is under way")
def _(c):
    r = c.call(response_id=held(c))
    equal((r.status, r.completed_at, r.usage.total_tokens), ("in_progress", None, 0))


@case("llm.responses.get", "its events")
def _(c):
    live = listed(c, c.call("llm.responses.create", model="small", input="What is new?", stream=True))
    again = listed(c, c.call(response_id=live[0].response.id, stream=True))
    equal([e.type for e in again], [e.type for e in live])
    equal(whole(again), live[-1].response)


@case("llm.responses.get", "its events after one of them")
def _(c):
    id = response(c)
    all = listed(c, c.call(response_id=id, stream=True))
    equal(listed(c, c.call(response_id=id, stream=True, starting_after=3)), all[4:])
    equal(listed(c, c.call(response_id=id, stream=True, starting_after=len(all))), [])


@case("llm.responses.get", "its events when it ends")
def _(c):
    r = whole(listed(c, c.call(response_id=response(c, "linger", background=True), stream=True)))
    equal(text_of(r), "done")


@case("llm.responses.get", "the events of one that was cancelled")
def _(c):
    id = held(c)
    c.api("POST", f"/llm/responses/{id}/cancel")
    equal(whole(listed(c, c.call(response_id=id, stream=True)), "incomplete").status, "cancelled")


@case("llm.responses.list", "newest first")
def _(c):
    want = [response(c) for _ in range(3)][::-1]
    page = c.call()
    equal((ids(page), page.object, page.has_more, page.first_id, page.last_id), (want, "list", False, want[0], want[-1]))


@case("llm.responses.list", "limit, order, after and before")
def _(c):
    want = [response(c) for _ in range(3)]
    page = c.call(limit=2, order="asc")
    equal((ids(page), page.has_more), (want[:2], True))
    page = c.call(limit=2, order="asc", after=page.last_id)
    equal((ids(page), page.has_more), (want[2:], False))
    equal(ids(c.call(order="asc", before=want[1])), want[:1])


@case("llm.responses.list", "an empty list")
def _(c):
    page = c.call()
    equal((page.data, page.has_more), ([], False))


@case("llm.responses.list", "not those of another end user")
def _(c):
    response(c)
    equal(ids(c.call(x_on_behalf_of=c.user + "-other")), [])


@case("llm.responses.list", "400 for a limit out of range")
def _(c):
    c.fails(400, "limit", limit=500)


@case("llm.responses.list", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY)


@case("llm.responses.update", "replaces the metadata")
def _(c):
    id = response(c, metadata={"a": "b", "c": "d"})
    equal(c.call(response_id=id, metadata={"a": "x"}).metadata, {"a": "x"})
    equal(c.call("llm.responses.get", response_id=id).metadata, {"a": "x"})


@case("llm.responses.update", "409 for one that has not ended")
def _(c):
    c.fails(409, "in_progress", response_id=held(c), metadata={"a": "x"})


@case("llm.responses.delete", "is confirmed")
def _(c):
    id = response(c)
    d = c.call(response_id=id)
    equal((d.id, d.object, d.deleted), (id, "response", True))
    c.fails(404, op="llm.responses.get", response_id=id)


@case("llm.responses.delete", "one that is under way")
def _(c):
    id = held(c)
    equal(c.call(response_id=id).deleted, True)
    c.fails(404, op="llm.responses.get", response_id=id)


@case("llm.responses.cancel", "one that is under way")
def _(c):
    id = held(c)
    r = c.call(response_id=id)
    equal((r.id, r.status, r.background), (id, "cancelled", True))
    equal(c.call("llm.responses.get", response_id=id).status, "cancelled")


@case("llm.responses.cancel", "one that is cancelled")
def _(c):
    id = held(c)
    equal([c.call(response_id=id).status for _ in range(2)], ["cancelled"] * 2)


@case("llm.responses.cancel", "409 for one that has completed")
def _(c):
    c.fails(409, "completed", response_id=response(c))


@case("llm.responses.list_input_items", "its own, newest first")
def _(c):
    id = response(c, [said("One."), said("Two.")], previous_response_id=response(c))
    page = c.call(response_id=id)
    equal([i.content[0].text for i in page.data], ["Two.", "One."])
    equal((page.object, page.has_more), ("list", False))


@case("llm.responses.list_input_items", "limit, order and after")
def _(c):
    id = response(c, [said(str(i)) for i in range(3)])
    page = c.call(response_id=id, limit=2, order="asc")
    equal(([i.content[0].text for i in page.data], page.has_more), (["0", "1"], True))
    page = c.call(response_id=id, limit=2, order="asc", after=page.last_id)
    equal(([i.content[0].text for i in page.data], page.has_more), (["2"], False))


@case("llm.responses.list_input_items", "a text is a message")
def _(c):
    equal(c.call(response_id=response(c)).data[0].content[0].text, "What is new?")


@case("llm.responses.wake", "a sleeping response goes on")
def _(c):
    id = response(c, "nap", background=True, tools=[{"type": "sleep"}])
    until(lambda r: "sleep" in r, lambda: c.api("GET", "/llm/responses/" + id))
    woke = c.call(response_id=id, input="There is news.")
    equal((woke.object, woke.response_id), ("response.sleep_wake", id))
    r = ended(c, id)
    equal(r["status"], "completed")
    check("There is news." in str(r["output"]), r)


@case("llm.responses.wake", "409 for one that does not sleep")
def _(c):
    c.fails(409, "sleep", response_id=response(c), input="go")
    c.fails(409, "sleep", response_id=held(c), input="go")


@case("llm.responses.compact", "a summary with which the next response begins")
def _(c):
    r = c.call(model="small", input="My name is Ada.")
    equal((r.object, len(r.output), r.output[0].type), ("response.compaction", 1, "compaction"))
    check(r.id and r.created_at and r.output[0].content and r.usage.total_tokens >= 0, "a summary", r)
    item = {"type": "compaction", "id": r.output[0].id, "content": r.output[0].content}
    response(c, [item, said("What is my name?")])


@case("llm.responses.compact", "what came before a response")
def _(c):
    r = c.call(model="small", previous_response_id=response(c))
    equal([i.type for i in r.output], ["compaction"])
    c.fails(400, "previous_response_id", model="small", previous_response_id=NO_RESPONSE)


@case("llm.responses.compact", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY, model="small", input="What is new?")


for op, more in {"get": {}, "update": {"metadata": {}}, "delete": {}, "cancel": {}, "list_input_items": {}, "wake": {"input": "go"}}.items():
    unauthorized_or_absent("llm.responses." + op, response_id=NO_RESPONSE, **more)
    not_another_end_users("llm.responses." + op, response, "response_id")


# Conversations.


@case("llm.conversations.create", "nothing in it")
def _(c):
    v = c.call()
    equal((v.object, v.metadata, v.deleted_at), ("conversation", {}, None))
    check(v.id.startswith("conv_") and v.created_at > 1.7e9, v)


@case("llm.conversations.create", "items and metadata")
def _(c):
    v = c.call(items=[said("Hello."), said("Hi!", "assistant")], metadata={"a": "b"})
    equal((v.metadata, [i["role"] for i in items(c, v.id)]), ({"a": "b"}, ["user", "assistant"]))


@case("llm.conversations.create", "every kind of item")
def _(c):
    kinds = [
        said("Hello."),
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"},
        CALL_OUTPUT,
        {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "docs", "tools": [{"name": "find", "input_schema": {}}]},
        {"type": "mcp_call", "id": "mcp_1", "name": "find", "arguments": "{}", "server_label": "docs", "output": "None."},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "rain"}},
    ]
    v = c.call(items=kinds)
    page = c.call("llm.conversations.list_items", conversation_id=v.id)
    equal([i.type for i in page.data], [k["type"] for k in kinds])


@case("llm.conversations.create", "400 for more than 20 items")
def _(c):
    c.fails(400, "items", items=[said("Hello.")] * 21)


@case("llm.conversations.create", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY)


@case("llm.conversations.create", "403 for a key that may only read")
def _(c):
    c.fails(403, "write:conversations", key=c.scoped_key("read:conversations"))


@case("llm.conversations.list", "oldest first")
def _(c):
    want = [conversation(c) for _ in range(3)]
    page = c.call()
    equal((ids(page), page.object, page.has_more, page.last_id), (want, "list", False, want[-1]))


@case("llm.conversations.list", "limit, order and after")
def _(c):
    want = [conversation(c) for _ in range(3)][::-1]
    page = c.call(limit=2, order="desc")
    equal((ids(page), page.has_more), (want[:2], True))
    page = c.call(limit=2, order="desc", after=page.last_id)
    equal((ids(page), page.has_more), (want[2:], False))


@case("llm.conversations.list", "an empty list")
def _(c):
    page = c.call()
    equal((page.data, page.has_more), ([], False))


@case("llm.conversations.list", "not those of another end user")
def _(c):
    conversation(c)
    equal(ids(c.call(x_on_behalf_of=c.user + "-other")), [])


@case("llm.conversations.list", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY)


@case("llm.conversations.get", "as it was made")
def _(c):
    v = c.call(conversation_id=conversation(c, metadata={"a": "b"}))
    equal((v.object, v.metadata, v.deleted_at), ("conversation", {"a": "b"}, None))


@case("llm.conversations.update", "replaces the metadata")
def _(c):
    id = conversation(c, metadata={"a": "b", "c": "d"})
    equal(c.call(conversation_id=id, metadata={"a": "x"}).metadata, {"a": "x"})


@case("llm.conversations.delete", "is confirmed")
def _(c):
    id = conversation(c, said("Hello."))
    d = c.call(conversation_id=id)
    equal((d.id, d.object, d.deleted), (id, "conversation.deleted", True))
    c.fails(404, op="llm.conversations.get", conversation_id=id)


@case("llm.conversations.delete", "its responses stay")
def _(c):
    id = conversation(c)
    r = response(c, conversation=id)
    c.call(conversation_id=id)
    equal(text_of(c.call("llm.responses.get", response_id=r)), "done")


@case("llm.conversations.delete", "409 for one that is busy")
def _(c):
    id = conversation(c)
    held(c, conversation=id)
    c.fails(409, "response", conversation_id=id)


@case("llm.conversations.list_items", "what was said, oldest first")
def _(c):
    id = conversation(c, said("One."), said("Two."))
    response(c, "Three.", conversation=id)
    page = c.call(conversation_id=id)
    page = getattr(page, "result", page)
    equal([i.content[0].text for i in page.data], ["One.", "Two.", "Three.", "done"])
    equal((page.has_more, page.last_id), (False, page.data[-1].id))


@case("llm.conversations.list_items", "limit, order and after")
def _(c):
    id = conversation(c, *(said(str(i)) for i in range(3)))
    page = c.call(conversation_id=id, limit=2, order="desc")
    equal(([i.content[0].text for i in page.data], page.has_more), (["2", "1"], True))
    page = c.call(conversation_id=id, limit=2, order="desc", after=page.last_id)
    equal(([i.content[0].text for i in page.data], page.has_more), (["0"], False))


@case("llm.conversations.list_items", "an empty list")
def _(c):
    page = c.call(conversation_id=conversation(c))
    equal((page.data, page.last_id, page.has_more), ([], "", False))


@case("llm.conversations.create_items", "appends them")
def _(c):
    id = conversation(c, said("One."))
    page = c.call(conversation_id=id, items=[said("Two."), said("Three.", "assistant")])
    equal([i.content[0].text for i in page.data], ["Two.", "Three."])
    equal([i["content"][0]["text"] for i in items(c, id)], ["One.", "Two.", "Three."])


@case("llm.conversations.create_items", "400 for none")
def _(c):
    c.fails(400, "items", conversation_id=conversation(c), items=[])


@case("llm.conversations.create_items", "409 for one that is busy")
def _(c):
    id = conversation(c)
    held(c, conversation=id)
    c.fails(409, "response", conversation_id=id, items=[said("Hello.")])


@case("llm.conversations.get_item", "as it was said")
def _(c):
    id = conversation(c, said("Hello."))
    i = c.call(conversation_id=id, item_id=items(c, id)[0]["id"])
    equal((i.type, i.role, i.content[0].text), ("message", "user", "Hello."))


@case("llm.conversations.delete_item", "answers the conversation")
def _(c):
    id = conversation(c, said("One."), said("Two."))
    v = c.call(conversation_id=id, item_id=items(c, id)[0]["id"])
    equal((v.id, v.object, [i["content"][0]["text"] for i in items(c, id)]), (id, "conversation", ["Two."]))


@case("llm.conversations.delete_items", "answers the conversation")
def _(c):
    id = conversation(c, said("One."), said("Two."), said("Three."))
    v = c.call(conversation_id=id, item_ids=[i["id"] for i in items(c, id)[:2]])
    equal((v.id, v.object, [i["content"][0]["text"] for i in items(c, id)]), (id, "conversation", ["Three."]))


@case("llm.conversations.delete_items", "404 for one that is not there, and none is deleted")
def _(c):
    id = conversation(c, said("One."))
    c.fails(404, conversation_id=id, item_ids=[items(c, id)[0]["id"], "msg_nobody"])
    equal(len(items(c, id)), 1)


for op in ("get_item", "delete_item"):

    @case("llm.conversations." + op, "404 for an item of another conversation")
    def _(c):
        other = conversation(c, said("Hello."))
        c.fails(404, conversation_id=conversation(c), item_id=items(c, other)[0]["id"])


ARGUMENTS = {
    "get": {}, "update": {"metadata": {}}, "delete": {}, "list_items": {}, "create_items": {"items": [said("Hello.")]},
    "get_item": {"item_id": "msg_1"}, "delete_item": {"item_id": "msg_1"}, "delete_items": {"item_ids": ["msg_1"]},
}
for op, more in ARGUMENTS.items():
    unauthorized_or_absent("llm.conversations." + op, conversation_id=NO_CONVERSATION, **more)
for op in ("get", "update", "delete", "list_items"):
    not_another_end_users("llm.conversations." + op, conversation, "conversation_id")


# Models.


@case("llm.models.list", "what can be asked")
def _(c):
    m = c.call().data[0]
    equal((m.id, m.owned_by, m.model_type), ("small", "model", "llm"))
    if hasattr(m, "lifecycle"):  # older versions know of little more
        equal((m.context_window, m.lifecycle.status, m.capabilities.supports_temperature), (4096, "active", True))


@case("llm.models.list", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY)


@case("llm.models.get", "one of them")
def _(c):
    m = c.call(model_id="small")
    equal((m.id, m.owned_by, m.model_type), ("small", "model", "llm"))


unauthorized_or_absent("llm.models.get", model_id="nobody")


# What is not offered, in words that the client shows.


def not_offered(op, **arguments):
    @case(op, "501 that says so", offered=False)
    def _(c):
        c.fails(501, "not offered", **arguments)

    @case(op, "401 for a wrong key", offered=False)
    def _(c):
        c.fails(401, key=WRONG_KEY, **arguments)


not_offered("llm.skills.list")
not_offered("llm.skills.get", skill_id="skill_1")
not_offered("llm.skills.delete", skill_id="skill_1")
not_offered("llm.files.list")
not_offered("llm.files.get", file_id="file_1")
not_offered("llm.files.delete", file_id="file_1")
not_offered("llm.evals.list_suites")
not_offered("llm.evals.get_run", run_id="run_1")


# The vault.


def server(c, **fields):
    body = {"name": "Docs", "server_label": "docs", "server_url": "https://mcp.example.com/", **fields}
    return c.api("POST", "/llm/mcp/servers", body)["id"]


def credential(c, id, **fields):
    return c.api("POST", f"/llm/mcp/servers/{id}/credentials", {"auth_type": "bearer", "bearer_token": SECRET, **fields})["id"]


SECRET = "a-canary-that-must-not-come-back"


def hides(answer):
    equal(SECRET in repr(answer), False)


@case("llm.mcp_vault.create_server", "every field")
def _(c):
    s = c.call(
        name="Docs", server_label="docs", server_url_="https://mcp.example.com/", server_description="Answers.",
        allowed_tools=["search"], require_approval="never", metadata={"team": "a"},
    )
    equal((s.object, s.name, s.server_label, s.server_url, s.server_description), ("mcp.server", "Docs", "docs", "https://mcp.example.com/", "Answers."))
    equal((s.allowed_tools, s.require_approval, s.metadata), (["search"], "never", {"team": "a"}))


@case("llm.mcp_vault.create_server", "400 for a URL that is none")
def _(c):
    c.fails(400, "server_url", name="Docs", server_label="docs", server_url_="mcp.example.com")


@case("llm.mcp_vault.list_servers", "pages by after")
def _(c):
    want = [server(c) for _ in range(3)]
    page = c.call(limit=2, order="asc")
    equal((ids(page), page.has_more), (want[:2], True))
    page = c.call(limit=2, order="asc", after=page.last_id)
    equal((ids(page), page.has_more), (want[2:], False))


@case("llm.mcp_vault.get_server", "as it was saved")
def _(c):
    s = c.call(server_id=server(c))
    equal((s.name, s.allowed_tools, s.require_approval, s.metadata), ("Docs", None, "always", {}))


@case("llm.mcp_vault.update_server", "what is left out stays")
def _(c):
    s = c.call(server_id=server(c, allowed_tools=["a"]), require_approval="never", name="Other")
    equal((s.name, s.allowed_tools, s.require_approval, s.server_label), ("Other", ["a"], "never", "docs"))


@case("llm.mcp_vault.delete_server", "with its credentials")
def _(c):
    id = server(c)
    key = credential(c, id)
    gone = c.call(server_id=id)
    equal((gone.id, gone.object, gone.deleted), (id, "mcp.server.deleted", True))
    c.fails(404, op="llm.mcp_vault.get_server", server_id=id)
    c.fails(404, op="llm.mcp_vault.delete_credential", credential_id=key)


@case("llm.mcp_vault.create_credential", "a token")
def _(c):
    k = c.call(server_id=server(c), auth_type="bearer", bearer_token=SECRET, name="mine")
    equal((k.object, k.name, k.auth_type, k.header_names, k.revoked_at), ("mcp.credential", "mine", "bearer", [], None))
    hides(k)


@case("llm.mcp_vault.create_credential", "headers")
def _(c):
    k = c.call(server_id=server(c), auth_type="headers", headers={"X-Key": SECRET})
    equal((k.auth_type, k.header_names, k.authorization_preview), ("headers", ["X-Key"], None))
    hides(k)


@case("llm.mcp_vault.create_credential", "400 without what its type needs")
def _(c):
    c.fails(400, "authorization", server_id=server(c), auth_type="authorization")


@case("llm.mcp_vault.list_credentials", "those that are revoked if asked for")
def _(c):
    id = server(c)
    first, second = credential(c, id), credential(c, id)
    c.api("DELETE", "/llm/mcp/credentials/" + first)
    equal(ids(c.call(server_id=id)), [second])
    page = c.call(server_id=id, include_revoked=True)
    equal(ids(page), [second, first])
    hides(page)


@case("llm.mcp_vault.delete_credential", "revokes it")
def _(c):
    id = credential(c, server(c))
    gone = c.call(credential_id=id)
    equal((gone.id, gone.object, gone.deleted), (id, "mcp.credential.deleted", True))


@case("llm.mcp_vault.test_server", "502 for one that cannot be used")
def _(c):
    c.fails(502, "private", retries=None, server_id=server(c, server_url="http://127.0.0.1:1/"))


for op, arguments in {
    "get_server": {"server_id": "mcp_srv_" + NOBODY}, "update_server": {"server_id": "mcp_srv_" + NOBODY, "name": "a"},
    "delete_server": {"server_id": "mcp_srv_" + NOBODY}, "list_credentials": {"server_id": "mcp_srv_" + NOBODY},
    "create_credential": {"server_id": "mcp_srv_" + NOBODY, "auth_type": "none"},
    "delete_credential": {"credential_id": "mcp_cred_" + NOBODY}, "test_server": {"server_id": "mcp_srv_" + NOBODY},
}.items():
    unauthorized_or_absent("llm.mcp_vault." + op, **arguments)


# Memory.


def store(c, **fields):
    return c.api("POST", "/llm/memory_stores", {"name": "Notes", **fields})["id"]


def note(c, store, path="a.md", content="caf\u00e9"):
    return c.api("POST", f"/llm/memory_stores/{store}/entries", {"path": path, "content": content})


@case("llm.memory_stores.create", "every field")
def _(c):
    m = c.call(name="Notes", description="d", instructions="i", visibility="private", metadata={"team": "a"})
    equal((m.object, m.name, m.description, m.instructions, m.visibility), ("memory_store", "Notes", "d", "i", "private"))
    equal((m.metadata, m.deleted_at), ({"team": "a"}, None))


@case("llm.memory_stores.create", "400 where an end user would share it")
def _(c):
    c.fails(400, "visibility", name="Notes", visibility="workspace")


@case("llm.memory_stores.list", "pages by after")
def _(c):
    want = [store(c) for _ in range(3)]
    page = c.call(limit=2, order="asc")
    equal((ids(page), page.has_more), (want[:2], True))
    equal(ids(c.call(limit=2, order="asc", after=page.last_id)), want[2:])


@case("llm.memory_stores.get", "as it was made")
def _(c):
    m = c.call(memory_store_id=store(c))
    equal((m.name, m.description, m.visibility), ("Notes", None, "private"))


@case("llm.memory_stores.update", "what is left out stays")
def _(c):
    m = c.call(memory_store_id=store(c, description="d"), name="Other")
    equal((m.name, m.description), ("Other", "d"))


@case("llm.memory_stores.delete", "with its notes")
def _(c):
    id = store(c)
    entry = note(c, id)["id"]
    gone = c.call(memory_store_id=id)
    equal((gone.id, gone.object, gone.deleted), (id, "memory_store.deleted", True))
    c.fails(404, op="llm.memory_stores.get_entry", memory_store_id=id, entry_id=entry)


@case("llm.memory_stores.create_entry", "every field, and a path once")
def _(c):
    id = store(c)
    e = c.call(memory_store_id=id, path="a/b.md", content="caf\u00e9", metadata={"k": "v"})
    equal((e.object, e.path, e.content, e.bytes_ if hasattr(e, "bytes_") else e.bytes, e.metadata), ("memory_entry", "a/b.md", "caf\u00e9", 5, {"k": "v"}))
    equal(e.content_hash, "850f7dc43910ff890f8879c0ed26fe697c93a067ad93a7d50f466a7028a9bf4e")
    c.fails(409, "a/b.md", memory_store_id=id, path="a/b.md", content="")


@case("llm.memory_stores.list_entries", "with their contents")
def _(c):
    id = store(c)
    note(c, id)
    equal([(e.path, e.content) for e in c.call(memory_store_id=id).data], [("a.md", "caf\u00e9")])


@case("llm.memory_stores.get_entry", "as it was written")
def _(c):
    id = store(c)
    equal(c.call(memory_store_id=id, entry_id=note(c, id)["id"]).content, "caf\u00e9")


@case("llm.memory_stores.update_entry", "if nobody has changed it")
def _(c):
    id = store(c)
    e = note(c, id)
    equal(c.call(memory_store_id=id, entry_id=e["id"], content="x", if_match=e["content_hash"]).content, "x")
    c.fails(412, memory_store_id=id, entry_id=e["id"], content="y", if_match=e["content_hash"])


@case("llm.memory_stores.delete_entry", "if nobody has changed it")
def _(c):
    id = store(c)
    e = note(c, id)
    gone = c.call(memory_store_id=id, entry_id=e["id"])
    equal((gone.id, gone.object, gone.deleted), (e["id"], "memory_entry.deleted", True))


for op, arguments in {
    "get": {"memory_store_id": "mem_1"}, "update": {"memory_store_id": "mem_1", "name": "n"}, "delete": {"memory_store_id": "mem_1"},
    "create_entry": {"memory_store_id": "mem_1", "path": "a", "content": "b"}, "list_entries": {"memory_store_id": "mem_1"},
    "get_entry": {"memory_store_id": "mem_1", "entry_id": "memn_1"}, "update_entry": {"memory_store_id": "mem_1", "entry_id": "memn_1", "content": "c"},
    "delete_entry": {"memory_store_id": "mem_1", "entry_id": "memn_1"},
}.items():
    unauthorized_or_absent("llm.memory_stores." + op, **arguments)
