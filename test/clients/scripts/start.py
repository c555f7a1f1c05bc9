"""Starts many runs, or saves many schedules, at once and as the client does by
default, and prints one JSON object a line for each: {"input", "id"} or
{"input", "error"}.

    start.py URL KEY AGENT run|schedule COUNT equal|different [TIMEOUT_MS]
"""

import asyncio
import json
import sys

from meetkai_mka1 import SDK

AT_ONCE = 50


async def main(url, key, agent, what, count, equal, timeout_ms=None):
    gate = asyncio.Semaphore(AT_ONCE)
    more = {"timeout_ms": int(timeout_ms)} if timeout_ms else {}
    async with SDK(bearer_auth=key, server_url=url) as sdk:

        async def start(i):
            input = "the same" if equal == "equal" else f"number {i}"
            async with gate:
                try:
                    if what == "run":
                        got = await sdk.agent_runs.create_agent_run_async(agent_id=agent, input=input, **more)
                    else:
                        hourly = {"type": "interval", "interval_seconds": 3600}
                        got = await sdk.agent_schedules.create_agent_schedule_async(agent_id=agent, schedule=hourly, input=input, **more)
                    print(json.dumps({"input": input, "id": got.id}), flush=True)
                except Exception as e:
                    print(json.dumps({"input": input, "error": f"{type(e).__name__}: {e}"}), flush=True)

        await asyncio.gather(*(start(i) for i in range(int(count))))


asyncio.run(main(*sys.argv[1:]))
