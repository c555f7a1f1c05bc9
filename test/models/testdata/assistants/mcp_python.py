"""The official Python client of the Model Context Protocol uses Rota's tools.

    mcp_python.py URL KEY AGENT
"""
import asyncio
import json
import sys

import mcp
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

url, key, agent = sys.argv[1] + "/mcp", sys.argv[2], sys.argv[3]


def read(result):
    assert not result.is_error, result.content[0].text
    return json.loads(result.content[0].text)


async def use(client):
    tools = {t.name: t for t in (await client.list_tools()).tools}
    for name, tool in tools.items():
        assert tool.title and tool.description and tool.input_schema["type"] == "object", name
        if tool.annotations.read_only_hint:
            assert not tool.annotations.destructive_hint, name
    assert tools["list_runs"].annotations.read_only_hint
    assert tools["pause_agent_schedule"].annotations.destructive_hint
    assert not tools["trigger_agent_schedule"].annotations.idempotent_hint

    made = read(await client.call_tool("create_agent_schedule", {
        "agent_id": agent, "name": "Mornings", "input": "What is new?",
        "schedule": {"type": "cron", "cron_expression": "0 9 * * *", "timezone": "Europe/Madrid"},
    }))
    which = {"agent_id": agent, "schedule_id": made["id"]}
    assert read(await client.call_tool("pause_agent_schedule", {**which, "note": "rest"}))["status"] == "paused"
    assert read(await client.call_tool("resume_agent_schedule", which))["status"] == "active"
    assert len(read(await client.call_tool("list_upcoming_occurrences", {**which, "count": 3}))["data"]) == 3
    refused = await client.call_tool("get_run", {"run_id": "arun_0"})
    assert refused.is_error and "not_found" in refused.content[0].text
    return len(tools)


async def main():
    async with create_mcp_http_client(headers={"Authorization": "Bearer " + key}) as http:
        async with mcp.Client(streamable_http_client(url, http_client=http)) as client:
            print(await use(client), "tools")


asyncio.run(main())
