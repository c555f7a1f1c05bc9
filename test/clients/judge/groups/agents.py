"""Agents, their versions, function tools, runs, schedules and connectors."""

import datetime
import json

from case import case, check, equal, until

TITLE = "Agents"
COVERED = ["agents", "agent_versions", "agent_runs", "agent_schedules", "agent_connectors"]

# An id that has the right form and belongs to nobody.
NOBODY = "0192f0c1d2e37f00a1b2c3d4e5f60718"
NO_AGENT, NO_RUN, NO_SCHEDULE = "agt_" + NOBODY, "arun_" + NOBODY, "asch_" + NOBODY

WRONG_KEY = "rk_nobody_has_this_key_at_all"

TOOLS = [
    {"type": "web_search", "search_context_size": "low", "filters": {"allowed_domains": ["example.com"]}},
    {"type": "function", "name": "look_up", "parameters": {"type": "object"}, "description": "Looks up.", "strict": True},
    {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example.com", "require_approval": "never"},
    {"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 3},
    {"type": "code_interpreter"},
    {"type": "image_generation"},
    {"type": "shell", "environment": {"type": "container_auto"}},
    {"type": "sleep"},
]


def ids(page):
    return [o.id for o in page.data]


def future(hours=1):
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(hours=hours)


def unauthorized_or_absent(op, status, **arguments):
    """Two cases that nearly every operation has."""

    @case(op, "401 for a wrong key")
    def _(c):
        c.fails(401, key=WRONG_KEY, **arguments)

    @case(op, f"{status} for what is not there")
    def _(c):
        have = dict(arguments)
        if op.startswith("agent_") and have.get("run_id") or have.get("schedule_id"):
            have["agent_id"] = c.agent()
        c.fails(status, **have)


# Agents.


@case("agents.create_agent", "only what is required")
def _(c):
    a = c.call(name="Reporter", model="small")
    equal((a.object, a.name, a.model), ("agent", "Reporter", "small"))
    equal((a.description, a.instructions, a.max_tool_calls, a.deleted_at), (None, None, None, None))
    equal((a.tools, a.tool_choice, a.parallel_tool_calls, a.metadata), ([], "auto", True, {}))
    check(a.id.startswith("agt_"), a.id)
    check(a.created_at.tzinfo, "created_at has no offset")


@case("agents.create_agent", "every field")
def _(c):
    a = c.call(
        name="Reporter", model="small", description="Reports.", instructions="Be brief.", tools=TOOLS,
        tool_choice={"type": "function", "name": "look_up"}, parallel_tool_calls=False, max_tool_calls=7,
        text={"format": {"type": "text"}, "verbosity": "low"}, reasoning={"effort": "high"}, metadata={"team": "ops"},
    )
    equal((a.description, a.instructions, a.max_tool_calls), ("Reports.", "Be brief.", 7))
    equal((a.parallel_tool_calls, a.metadata), (False, {"team": "ops"}))
    equal(a.tool_choice, {"type": "function", "name": "look_up"})
    equal([t["type"] for t in c.api("GET", "/agents/" + a.id)["tools"]], [t["type"] for t in TOOLS])
    equal(c.api("GET", "/agents/" + a.id)["reasoning"], {"effort": "high"})


@case("agents.create_agent", "nulls are the same as nothing")
def _(c):
    a = c.call(name="Reporter", model="small", description=None, instructions=None, max_tool_calls=None, text=None, reasoning=None)
    equal((a.description, a.instructions, a.max_tool_calls), (None, None, None))


@case("agents.create_agent", "version 1, not deleted")
def _(c):
    c.needs("fallback_models")
    a = c.call(name="Reporter", model="small", fallback_models=["other", "third"])
    equal((a.version, a.fallback_models), (1, ["other", "third"]))
    equal((a.retention_expires_at, a.within_restore_window, a.can_restore), (None, False, False))


@case("agents.create_agent", "references to function tools and agents")
def _(c):
    c.needs("fallback_models")  # the tools came with it
    tool, other = c.function_tool(), c.agent()
    a = c.call(name="Reporter", model="small", tools=[
        {"type": "function_reference", "function_tool_id": tool},
        {"type": "agent", "agent_id": other, "name": "ask", "description": "Asks."},
    ])
    equal(c.api("GET", "/agents/" + a.id)["tools"][0], {"type": "function_reference", "function_tool_id": tool})


@case("agents.create_agent", "400 for an empty name")
def _(c):
    c.fails(400, "name", name="", model="small")


@case("agents.create_agent", "400 for a reference to no function tool")
def _(c):
    c.needs("fallback_models")
    c.fails(400, "function", name="Reporter", model="small", tools=[{"type": "function_reference", "function_tool_id": "ftool_" + NOBODY}])


@case("agents.create_agent", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY, name="Reporter", model="small")


@case("agents.create_agent", "403 for a key that may only read")
def _(c):
    c.fails(403, "write:agents", key=c.scoped_key("read:agents"), name="Reporter", model="small")


@case("agents.create_agent", "400 for a key's end user that is none")
def _(c):
    c.fails(400, "X-On-Behalf-Of", name="Reporter", model="small", x_on_behalf_of="*")


@case("agents.list_agents", "newest first")
def _(c):
    want = [c.agent(name=f"Agent {i}") for i in range(3)]
    page = c.call()
    equal((ids(page), page.object, page.has_more), (want[::-1], "list", False))
    equal((page.first_id, page.last_id), (want[2], want[0]))


@case("agents.list_agents", "limit and order")
def _(c):
    want = [c.agent() for _ in range(3)]
    page = c.call(limit=2, order="asc")
    equal((ids(page), page.has_more), (want[:2], True))


@case("agents.list_agents", "an empty list")
def _(c):
    page = c.call()
    equal((page.data, page.first_id, page.last_id, page.has_more), ([], None, None, False))


@case("agents.list_agents", "pages by offset")
def _(c):
    c.needs("offset")
    want = [c.agent() for _ in range(3)]
    page = c.call(offset=2, limit=2, order="asc")
    equal((ids(page), page.has_more), (want[2:], False))
    equal(ids(c.call(offset=3)), [])


@case("agents.list_agents", "the deleted ones")
def _(c):
    c.needs("deleted")
    gone, there = c.agent(), c.agent()
    c.api("DELETE", "/agents/" + gone)
    equal(ids(c.call(deleted=True)), [gone])
    equal(ids(c.call()), [there])


@case("agents.list_agents", "not those of another end user")
def _(c):
    c.agent()
    equal(ids(c.call(x_on_behalf_of=c.user + "-other")), [])


@case("agents.list_agents", "400 for a limit out of range")
def _(c):
    c.fails(400, "limit", limit=500)


@case("agents.list_agents", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY)


@case("agents.list_agents", "the scheme in any letter case")
def _(c):
    for scheme in ("bearer ", "BEARER ", "Bearer "):
        equal(ids(c.call(key=scheme + c.world.key)), [])


@case("agents.get_agent", "as it was saved")
def _(c):
    a = c.call(agent_id=c.agent(name="Clerk", metadata={"a": "b"}))
    equal((a.name, a.metadata), ("Clerk", {"a": "b"}))


@case("agents.get_agent", "404 for another end user's")
def _(c):
    c.fails(404, agent_id=c.agent(), x_on_behalf_of=c.user + "-other")


@case("agents.update_agent", "one field")
def _(c):
    a = c.call(agent_id=c.agent(instructions="Be brief."), name="Clerk")
    equal((a.name, a.instructions, a.model), ("Clerk", "Be brief.", "small"))


@case("agents.update_agent", "nothing")
def _(c):
    equal(c.call(agent_id=c.agent()).name, "Reporter")


@case("agents.update_agent", "null clears")
def _(c):
    id = c.agent(description="d", instructions="i", max_tool_calls=3, text={"verbosity": "low"}, reasoning={"effort": "low"})
    a = c.call(agent_id=id, description=None, instructions=None, max_tool_calls=None, text=None, reasoning=None)
    equal((a.description, a.instructions, a.max_tool_calls, a.text, a.reasoning), (None,) * 5)


@case("agents.update_agent", "empty values empty")
def _(c):
    a = c.call(agent_id=c.agent(tools=TOOLS, metadata={"a": "b"}), tools=[], metadata={})
    equal((a.tools, a.metadata), ([], {}))


@case("agents.update_agent", "a new version for a change, none for none")
def _(c):
    c.needs("fallback_models")
    id = c.agent()
    equal(c.call(agent_id=id, fallback_models=["other"]).version, 2)
    equal(c.call(agent_id=id, fallback_models=["other"]).version, 2)


@case("agents.update_agent", "400 for a name that is too long")
def _(c):
    c.fails(400, "name", agent_id=c.agent(), name="x" * 121)


@case("agents.delete_agent", "is confirmed")
def _(c):
    id = c.agent()
    d = c.call(agent_id=id)
    equal((d.object, d.id, d.deleted), ("agent.deleted", id, True))


@case("agents.delete_agent", "can still be read until it is purged")
def _(c):
    c.needs(op="agents.restore_agent")
    id = c.agent()
    c.call(agent_id=id)
    a = c.call("agents.get_agent", agent_id=id)
    check(a.deleted_at and a.retention_expires_at > a.deleted_at, a)
    equal((a.within_restore_window, a.can_restore), (True, True))


@case("agents.delete_agent", "pauses its schedules")
def _(c):
    id = c.agent()
    s = c.schedule(id)
    c.call(agent_id=id)
    got = c.call("agent_schedules.get_agent_schedule", agent_id=id, schedule_id=s)
    equal(got.status, "paused")


@case("agents.delete_agent", "409 for one that another uses as a tool")
def _(c):
    id = c.agent()
    c.agent(tools=[{"type": "agent", "agent_id": id}])
    c.fails(409, agent_id=id)


@case("agents.restore_agent", "brings all back, schedules paused")
def _(c):
    id = c.agent(instructions="Be brief.")
    s, r = c.schedule(id), c.run(id)
    c.ended(id, r)
    c.api("DELETE", "/agents/" + id)
    a = c.call(agent_id=id)
    equal((a.id, a.instructions, a.deleted_at, a.retention_expires_at), (id, "Be brief.", None, None))
    equal(c.call("agent_schedules.get_agent_schedule", agent_id=id, schedule_id=s).status, "paused")
    equal(ids(c.call("agent_runs.list_agent_runs", agent_id=id)), [r])


@case("agents.restore_agent", "409 for one that is not deleted")
def _(c):
    c.fails(409, agent_id=c.agent())


@case("agents.restore_agent", "403 for a key that may only read")
def _(c):
    id = c.agent()
    c.api("DELETE", "/agents/" + id)
    c.fails(403, "write:agents", key=c.scoped_key("read:agents"), agent_id=id)


for op in ("get_agent", "update_agent", "delete_agent", "restore_agent"):
    unauthorized_or_absent("agents." + op, 404, agent_id=NO_AGENT)


# Function tools.

PARAMETERS = {"type": "object", "properties": {"q": {"type": "string"}}}


@case("agents.create_function_tool", "every field")
def _(c):
    t = c.call(type_="function", name="look_up", parameters=PARAMETERS, description="Looks up.", strict=False, defer_loading=True)
    equal((t.object, t.definition.name, t.definition.parameters), ("agent.function_tool", "look_up", PARAMETERS))
    equal((t.definition.description, t.definition.strict, t.definition.defer_loading), ("Looks up.", False, True))


@case("agents.create_function_tool", "400 for a name that models do not take")
def _(c):
    c.fails(400, "name", type_="function", name="look up!", parameters=PARAMETERS)


@case("agents.list_function_tools", "pages by after")
def _(c):
    want = [c.function_tool(f"tool_{i}") for i in range(3)]
    page = c.call(limit=2, order="asc")
    equal((ids(page), page.has_more), (want[:2], True))
    page = c.call(limit=2, order="asc", after=page.last_id)
    equal((ids(page), page.has_more), (want[2:], False))


@case("agents.list_function_tools", "an empty list")
def _(c):
    equal(c.call().data, [])


@case("agents.get_function_tool", "as it was saved")
def _(c):
    equal(c.call(tool_id=c.function_tool("ask")).definition.name, "ask")


@case("agents.update_function_tool", "replaces")
def _(c):
    t = c.call(tool_id=c.function_tool(), type_="function", name="other", parameters=PARAMETERS)
    equal((t.definition.name, t.definition.description), ("other", None))


@case("agents.delete_function_tool", "is confirmed")
def _(c):
    id = c.function_tool()
    d = c.call(tool_id=id)
    equal((d.object, d.id, d.deleted), ("agent.function_tool.deleted", id, True))
    c.fails(404, op="agents.get_function_tool", tool_id=id)


DEFINITION = {"type_": "function", "name": "look_up", "parameters": PARAMETERS}
for op, more in {"get": {}, "update": DEFINITION, "delete": {}}.items():
    unauthorized_or_absent(f"agents.{op}_function_tool", 404, tool_id="ftool_" + NOBODY, **more)


# Versions.


def versions(c):
    """An agent with three versions."""
    id = c.agent(instructions="1")
    for i in ("2", "3"):
        c.api("POST", "/agents/" + id, {"instructions": i})
    return id


@case("agent_versions.list_agent_versions", "newest first")
def _(c):
    id = versions(c)
    page = c.call(agent_id=id)
    equal([(v.version, v.instructions, v.is_current) for v in page.data], [(3, "3", True), (2, "2", False), (1, "1", False)])
    equal({(v.object, v.agent_id) for v in page.data}, {("agent.version", id)})
    equal((page.first_id, page.last_id, page.has_more), (page.data[0].id, page.data[2].id, False))


@case("agent_versions.list_agent_versions", "pages by offset")
def _(c):
    c.needs("offset")
    page = c.call(agent_id=versions(c), offset=1, limit=1, order="asc")
    equal(([v.version for v in page.data], page.has_more), ([2], True))


@case("agent_versions.get_agent_version", "as it was")
def _(c):
    v = c.call(agent_id=versions(c), version=1)
    equal((v.version, v.instructions, v.is_current, v.restored_from_version), (1, "1", False, None))


@case("agent_versions.get_agent_version", "404 for a version that there is not")
def _(c):
    c.fails(404, agent_id=c.agent(), version=9)


@case("agent_versions.rollback_agent_version", "appends a copy and answers the agent")
def _(c):
    id = versions(c)
    a = c.call(agent_id=id, version=1)
    equal((a.object, a.id, a.instructions, a.version), ("agent", id, "1", 4))
    equal(c.call("agent_versions.get_agent_version", agent_id=id, version=4).restored_from_version, 1)


@case("agent_versions.rollback_agent_version", "404 for a version that there is not")
def _(c):
    c.fails(404, agent_id=c.agent(), version=9)


unauthorized_or_absent("agent_versions.list_agent_versions", 404, agent_id=NO_AGENT)
unauthorized_or_absent("agent_versions.get_agent_version", 404, agent_id=NO_AGENT, version=1)
unauthorized_or_absent("agent_versions.rollback_agent_version", 404, agent_id=NO_AGENT, version=1)


# Runs.


@case("agent_runs.create_agent_run", "only what is required")
def _(c):
    id = c.agent()
    r = c.call(agent_id=id, input="What is new?")
    equal((r.object, r.agent_id, r.input), ("agent.run", id, "What is new?"))
    check(r.status in ("queued", "submitting", "completed"), r.status)
    equal((r.conversation, r.previous_response_id, r.error, r.metadata), (None, None, None, {}))


@case("agent_runs.create_agent_run", "every field")
def _(c):
    input = [{"role": "user", "content": "What is new?"}]
    r = c.call(
        agent_id=c.agent(), input=input, conversation="conv_1", metadata={"a": "b"},
        context_management=[{"type": "compaction", "compact_threshold": 2000}],
    )
    equal((r.input, r.conversation, r.metadata), (input, "conv_1", {"a": "b"}))


@case("agent_runs.create_agent_run", "goes on from a response")
def _(c):
    equal(c.call(agent_id=c.agent(), input="And?", previous_response_id="resp_1").previous_response_id, "resp_1")


@case("agent_runs.create_agent_run", "with the deltas or without")
def _(c):
    c.needs("stream")
    id = c.agent()
    runs = {stream: c.call(agent_id=id, input="linger", stream=stream).id for stream in (True, False)}
    for stream, run in runs.items():
        deltas = "response.output_text.delta" in c.call("agent_runs.stream_agent_run_events", agent_id=id, run_id=run)
        equal(deltas, stream, f"stream={stream}: presence of deltas")


@case("agent_runs.create_agent_run", "has the version of its agent")
def _(c):
    c.needs(op="agent_versions.list_agent_versions")
    r = c.call(agent_id=versions(c), input="What is new?")
    equal(r.agent_version, 3)


@case("agent_runs.create_agent_run", "goes to the fallback models")
def _(c):
    c.needs("fallback_models", op="agents.create_agent")
    id = c.agent(model="broken", fallback_models=["small"])
    r = c.call(agent_id=id, input="What is new?")
    c.ended(id, r.id)
    equal(c.call("agent_runs.get_agent_run", agent_id=id, run_id=r.id).status, "completed")


@case("agent_runs.create_agent_run", "400 for an empty input")
def _(c):
    c.fails(400, "input", agent_id=c.agent(), input="")


@case("agent_runs.create_agent_run", "passes text on as it came")
def _(c):
    text = "{{scheduled_for}} {{{{ {{nothing"
    equal(c.call(agent_id=c.agent(), input=text).input, text)


@case("agent_runs.get_agent_run", "completed")
def _(c):
    id = c.agent()
    run = c.run(id)
    c.ended(id, run)
    r = c.call(agent_id=id, run_id=run)
    equal((r.status, r.error), ("completed", None))
    check(r.completed_at >= r.created_at, r.completed_at)
    check(r.gateway_response_id, "no gateway_response_id")
    equal(r.gateway_response["output"][0]["content"][0]["text"], "done")


@case("agent_runs.get_agent_run", "failed")
def _(c):
    id = c.agent()
    run = c.run(id, "fail")
    c.ended(id, run)
    r = c.call(agent_id=id, run_id=run)
    equal(r.status, "failed")
    check(r.error["code"] and r.error["message"], r.error)


@case("agent_runs.get_agent_run", "incomplete")
def _(c):
    id = c.agent()
    run = c.run(id, "limit")
    c.ended(id, run)
    r = c.call(agent_id=id, run_id=run)
    equal((r.status, r.error), ("incomplete", None))
    equal(r.gateway_response["incomplete_details"]["reason"], "max_output_tokens")


@case("agent_runs.list_agent_runs", "newest first")
def _(c):
    id = c.agent()
    want = [c.run(id) for _ in range(3)]
    page = c.call(agent_id=id)
    equal((ids(page), page.has_more, page.first_id, page.last_id), (want[::-1], False, want[2], want[0]))


@case("agent_runs.list_agent_runs", "pages by offset")
def _(c):
    c.needs("offset")
    id = c.agent()
    want = [c.run(id) for _ in range(3)]
    page = c.call(agent_id=id, offset=1, limit=1, order="asc")
    equal((ids(page), page.has_more), (want[1:2], True))


def events(text):
    return [json.loads(line[len("data:"):]) for line in text.splitlines() if line.startswith("data:")]


@case("agent_runs.stream_agent_run_events", "of a run as it goes")
def _(c):
    id = c.agent()
    all = events(c.call(agent_id=id, run_id=c.run(id)))
    equal(all[-1]["type"], "response.completed")
    check(all[-1]["response"]["output"], all[-1])
    numbers = [e["sequence_number"] for e in all]
    equal(numbers, sorted(set(numbers)), "sequence of numbers")


@case("agent_runs.stream_agent_run_events", "one for a run that has ended")
def _(c):
    id = c.agent()
    run = c.run(id)
    c.ended(id, run)
    equal([e["type"] for e in events(c.call(agent_id=id, run_id=run))][-1], "response.completed")


@case("agent_runs.stream_agent_run_events", "of one that failed")
def _(c):
    id = c.agent()
    equal(events(c.call(agent_id=id, run_id=c.run(id, "fail")))[-1]["type"], "response.failed")


@case("agent_runs.stream_agent_run_events", "of one that a limit stopped")
def _(c):
    id = c.agent()
    equal(events(c.call(agent_id=id, run_id=c.run(id, "limit")))[-1]["type"], "response.incomplete")


@case("agent_runs.stream_agent_run_events", "outlasts a model that is silent for 7 seconds")
def _(c):
    id = c.agent()
    equal(events(c.call(agent_id=id, run_id=c.run(id, "quiet"), retries=None))[-1]["type"], "response.completed")


@case("agent_runs.cancel_agent_run", "one under way")
def _(c):
    id = c.agent()
    run = c.run(id, "hold")
    c.call(agent_id=id, run_id=run)
    c.ended(id, run)
    r = c.call("agent_runs.get_agent_run", agent_id=id, run_id=run)
    equal((r.status, r.error), ("cancelled", None))
    check(r.completed_at, "no completed_at")


@case("agent_runs.cancel_agent_run", "again")
def _(c):
    id = c.agent()
    run = c.run(id, "hold")
    for _ in range(2):
        equal(c.call(agent_id=id, run_id=run).id, run)
    c.ended(id, run)
    equal(c.call(agent_id=id, run_id=run).status, "cancelled")


@case("agent_runs.cancel_agent_run", "409 for one that has completed")
def _(c):
    id = c.agent()
    run = c.run(id)
    c.ended(id, run)
    c.fails(409, "completed", agent_id=id, run_id=run)


@case("agent_runs.cancel_agent_run", "403 for a key that may only read")
def _(c):
    id = c.agent()
    c.fails(403, "write:agents", key=c.scoped_key("read:agents"), agent_id=id, run_id=c.run(id))


def asleep(c):
    id = c.agent(tools=[{"type": "sleep"}])
    run = c.run(id, input="nap")
    until(lambda r: r["sleep"], lambda: c.api("GET", f"/agents/{id}/runs/{run}"))
    return id, run


@case("agent_runs.wake_agent_run", "a sleeping run goes on with a text")
def _(c):
    id, run = asleep(c)
    woke = c.call(agent_id=id, run_id=run, input="Go on.")
    equal((woke.object, woke.run_id), ("agent.run.wake", run))
    r = c.ended(id, run)
    equal((r["status"], r["gateway_response_id"]), ("completed", woke.gateway_response_id))
    check("Go on." in str(r["gateway_response"]["output"]), r)


@case("agent_runs.wake_agent_run", "a sleeping run goes on with items, once")
def _(c):
    id, run = asleep(c)
    c.call(agent_id=id, run_id=run, input=[{"type": "message", "role": "user", "content": "Go on."}])
    c.fails(409, "sleep", agent_id=id, run_id=run, input="Go on.")
    equal(c.ended(id, run)["status"], "completed")


@case("agent_runs.wake_agent_run", "409 for one that does not sleep")
def _(c):
    id = c.agent()
    run = c.run(id)
    c.ended(id, run)
    c.fails(409, "sleep", agent_id=id, run_id=run, input="Go on.")


@case("agent_runs.wake_agent_run", "400 for an empty input")
def _(c):
    id = c.agent()
    c.fails(400, "input", agent_id=id, run_id=c.run(id), input="")


@case("agent_runs.decide_agent_run_mcp_approval", "409 for one that asks for none")
def _(c):
    id = c.agent()
    run = c.run(id)
    c.ended(id, run)
    c.fails(409, "approval", agent_id=id, run_id=run, approval_request_id="mcpr_1", approve=False, reason="no")


unauthorized_or_absent("agent_runs.create_agent_run", 404, agent_id=NO_AGENT, input="go")
unauthorized_or_absent("agent_runs.list_agent_runs", 404, agent_id=NO_AGENT)
unauthorized_or_absent("agent_runs.get_agent_run", 404, agent_id=NO_AGENT, run_id=NO_RUN)
unauthorized_or_absent("agent_runs.stream_agent_run_events", 404, agent_id=NO_AGENT, run_id=NO_RUN)
unauthorized_or_absent("agent_runs.cancel_agent_run", 404, agent_id=NO_AGENT, run_id=NO_RUN)
unauthorized_or_absent("agent_runs.wake_agent_run", 404, agent_id=NO_AGENT, run_id=NO_RUN, input="go")
unauthorized_or_absent(
    "agent_runs.decide_agent_run_mcp_approval", 404, agent_id=NO_AGENT, run_id=NO_RUN, approval_request_id="mcpr_1", approve=True
)


# Schedules.

HOURLY = {"type": "interval", "interval_seconds": 3600}


@case("agent_schedules.create_agent_schedule", "once")
def _(c):
    at = future()
    s = c.call(agent_id=c.agent(), schedule={"type": "once", "run_at": at}, input="go")
    equal((s.object, s.status, s.schedule.type, s.schedule.run_at, s.schedule.timezone), ("agent.schedule", "active", "once", at, "UTC"))
    equal((s.name, s.conversation, s.previous_response_id, s.context_management), (None,) * 4)
    equal((s.last_run_at, s.last_run_id, s.run_count, s.deleted_at), (None, None, 0, None))


@case("agent_schedules.create_agent_schedule", "once, without offset")
def _(c):
    at = future(48).replace(tzinfo=None)
    s = c.call(agent_id=c.agent(), schedule={"type": "once", "run_at": at, "timezone": "Asia/Kathmandu"}, input="go")
    want = at.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=45)))
    equal(s.schedule.run_at, want)


@case("agent_schedules.create_agent_schedule", "interval")
def _(c):
    s = c.call(agent_id=c.agent(), schedule=HOURLY, input="go")
    equal((s.schedule.type, s.schedule.interval_seconds, s.schedule.timezone), ("interval", 3600, "UTC"))


@case("agent_schedules.create_agent_schedule", "interval with start_at")
def _(c):
    at = future(5)
    s = c.call(agent_id=c.agent(), schedule={**HOURLY, "start_at": at}, input="go")
    equal(s.schedule.start_at, at)


@case("agent_schedules.create_agent_schedule", "cron")
def _(c):
    s = c.call(agent_id=c.agent(), schedule={"type": "cron", "cron_expression": "0 9 * * MON-FRI", "timezone": "Europe/Madrid"}, input="go")
    equal((s.schedule.type, s.schedule.cron_expression, s.schedule.timezone), ("cron", "0 9 * * MON-FRI", "Europe/Madrid"))


@case("agent_schedules.create_agent_schedule", "every field")
def _(c):
    input = [{"role": "user", "content": "What is new?"}]
    s = c.call(
        agent_id=c.agent(), schedule=HOURLY, input=input, name="Hourly", conversation="conv_1", metadata={"a": "b"},
        context_management=[{"type": "compaction", "compact_threshold": 2000}],
    )
    equal((s.name, s.input, s.conversation, s.metadata), ("Hourly", input, "conv_1", {"a": "b"}))
    equal([m.compact_threshold for m in s.context_management], [2000])


@case("agent_schedules.create_agent_schedule", "400 for an expression that is none")
def _(c):
    c.fails(400, "cron_expression", agent_id=c.agent(), schedule={"type": "cron", "cron_expression": "61 * * * *"}, input="go")


@case("agent_schedules.create_agent_schedule", "400 for a time zone that is none")
def _(c):
    c.fails(400, "timezone", agent_id=c.agent(), schedule={**HOURLY, "timezone": "Mars/Olympus"}, input="go")


@case("agent_schedules.create_agent_schedule", "400 for an empty input")
def _(c):
    c.fails(400, "input", agent_id=c.agent(), schedule=HOURLY, input="")


@case("agent_schedules.create_agent_schedule", "fires")
def _(c):
    id = c.agent()
    c.call(agent_id=id, schedule={"type": "once", "run_at": datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)}, input="go")
    runs = until(bool, lambda: c.call("agent_runs.list_agent_runs", agent_id=id).data)
    equal(runs[0].input, "go")


@case("agent_schedules.list_agent_schedules", "newest first")
def _(c):
    id = c.agent()
    want = [c.schedule(id) for _ in range(3)]
    page = c.call(agent_id=id)
    equal((ids(page), page.has_more, page.first_id, page.last_id), (want[::-1], False, want[2], want[0]))


@case("agent_schedules.list_agent_schedules", "limit and order")
def _(c):
    id = c.agent()
    want = [c.schedule(id) for _ in range(3)]
    page = c.call(agent_id=id, limit=2, order="asc")
    equal((ids(page), page.has_more), (want[:2], True))


@case("agent_schedules.get_agent_schedule", "as it was saved")
def _(c):
    id = c.agent()
    s = c.call(agent_id=id, schedule_id=c.schedule(id, name="Daily"))
    equal((s.name, s.agent_id, s.schedule.interval_seconds), ("Daily", id, 86400))


@case("agent_schedules.get_agent_schedule", "404 under another agent")
def _(c):
    c.fails(404, agent_id=c.agent(), schedule_id=c.schedule(c.agent()))


@case("agent_schedules.update_agent_schedule", "every field")
def _(c):
    id = c.agent()
    s = c.call(
        agent_id=id, schedule_id=c.schedule(id), name="Other", schedule={"type": "cron", "cron_expression": "5 9 * * *"}, input="now",
        conversation="conv_2", metadata={"c": "d"}, context_management=[{"type": "compaction", "compact_threshold": 3000}],
    )
    equal((s.name, s.schedule.cron_expression, s.input, s.conversation, s.metadata), ("Other", "5 9 * * *", "now", "conv_2", {"c": "d"}))


@case("agent_schedules.update_agent_schedule", "null clears")
def _(c):
    id = c.agent()
    for field, value in {
        "name": "n", "conversation": "conv_1", "previous_response_id": "resp_1",
        "context_management": [{"type": "compaction", "compact_threshold": 2000}],
    }.items():
        s = c.call(agent_id=id, schedule_id=c.schedule(id, **{field: value}), **{field: None})
        equal(getattr(s, field), None, field)


@case("agent_schedules.update_agent_schedule", "400 for an interval of nothing")
def _(c):
    id = c.agent()
    c.fails(400, "interval_seconds", agent_id=id, schedule_id=c.schedule(id), schedule={"type": "interval", "interval_seconds": 0})


@case("agent_schedules.delete_agent_schedule", "is confirmed")
def _(c):
    id = c.agent()
    s = c.schedule(id)
    d = c.call(agent_id=id, schedule_id=s)
    equal((d.object, d.id, d.deleted), ("agent.schedule.deleted", s, True))


@case("agent_schedules.pause_agent_schedule", "and again")
def _(c):
    id = c.agent()
    s = c.schedule(id)
    for _ in range(2):
        equal(c.call(agent_id=id, schedule_id=s).status, "paused")


@case("agent_schedules.resume_agent_schedule", "and again")
def _(c):
    id = c.agent()
    s = c.schedule(id)
    c.api("POST", f"/agents/{id}/schedules/{s}/pause")
    for _ in range(2):
        equal(c.call(agent_id=id, schedule_id=s).status, "active")


def completed(c, id):
    """A schedule whose one time has been."""
    s = c.schedule(id, schedule={"type": "once", "run_at": (future(0) + datetime.timedelta(seconds=1)).isoformat()})
    until(lambda got: got["status"] == "completed", lambda: c.api("GET", f"/agents/{id}/schedules/{s}"))
    return s


@case("agent_schedules.pause_agent_schedule", "409 for one that has completed")
def _(c):
    id = c.agent()
    c.fails(409, "completed", agent_id=id, schedule_id=completed(c, id))


@case("agent_schedules.resume_agent_schedule", "409 for one that has completed")
def _(c):
    id = c.agent()
    c.fails(409, "completed", agent_id=id, schedule_id=completed(c, id))


unauthorized_or_absent("agent_schedules.create_agent_schedule", 404, agent_id=NO_AGENT, schedule=HOURLY, input="go")
unauthorized_or_absent("agent_schedules.list_agent_schedules", 404, agent_id=NO_AGENT)
for op in ("get", "update", "delete", "pause", "resume"):
    unauthorized_or_absent(f"agent_schedules.{op}_agent_schedule", 404, agent_id=NO_AGENT, schedule_id=NO_SCHEDULE)


# Connectors: not offered, in words that the client shows.

CONNECTOR = "acon_" + NOBODY
TELEGRAM = {"provider": "telegram", "credentials": {"bot_token": "1:x"}, "access": {"mode": "allowlist", "chat_ids": [1]}}


@case("agent_connectors.list_agent_connectors", "an empty list")
def _(c):
    page = c.call(id=c.agent())
    equal((page.data, page.first_id, page.last_id, page.has_more), ([], None, None, False))


@case("agent_connectors.list_agent_connectors", "401 for a wrong key")
def _(c):
    c.fails(401, key=WRONG_KEY, id=NO_AGENT)


def not_offered(op, **arguments):
    @case(op, "501 that says so", offered=False)
    def _(c):
        c.fails(501, "not", id=c.agent(), **arguments)


not_offered("agent_connectors.create_agent_connector", body=TELEGRAM)
not_offered("agent_connectors.setup_whats_app_app_webhook", app_id="1")
for op in ("get", "delete", "activate"):
    not_offered(f"agent_connectors.{op}_agent_connector", connector_id=CONNECTOR)
