"""The Agents SDK for Python through the gateway: its loop with a tool, streams, and
conversations that are kept by the server.

    agents_python.py URL KEY PROTOCOL
"""
import asyncio
import sys

from agents import Agent, OpenAIConversationsSession, Runner, function_tool, set_default_openai_client, set_tracing_disabled
from openai import AsyncOpenAI

SAYS = "Hello! I am a tiny test model: café ☕, done."
USEFUL = "The tool said something useful; that is all?"
client = AsyncOpenAI(base_url=sys.argv[1] + "/api/v1/llm", api_key=sys.argv[2], max_retries=0)
set_default_openai_client(client, use_for_tracing=False)
set_tracing_disabled(True)
told = []


@function_tool
def get_weather(city: str) -> str:
    """Tells the weather."""
    told.append(city)
    return "sunny"


greeter = Agent(name="greeter", instructions="Be brief.", model="tiny")
forecaster = Agent(name="forecaster", instructions="Be brief.", model="tiny", tools=[get_weather])


async def main():
    first = await Runner.run(greeter, "Hi")
    assert first.final_output == SAYS, first
    assert first.raw_responses[0].usage.output_tokens == 19
    following = await Runner.run(greeter, "And then?", previous_response_id=first.last_response_id)
    assert following.final_output == SAYS
    by_hand = await Runner.run(greeter, first.to_input_list() + [{"role": "user", "content": "And then?"}])
    assert by_hand.final_output == SAYS

    assert (await Runner.run(forecaster, "The weather in Paris?")).final_output == USEFUL
    assert told == ["Paris"], told
    streamed = Runner.run_streamed(forecaster, "The weather in Paris?")
    words = [e.data.delta async for e in streamed.stream_events() if e.type == "raw_response_event" and e.data.type == "response.output_text.delta"]
    assert "".join(words) == USEFUL and len(told) == 2

    conversation = await client.conversations.create()
    for agent in (greeter, forecaster):
        await Runner.run(agent, "Who am I?", conversation_id=conversation.id)
    kinds = [i.type async for i in client.conversations.items.list(conversation.id, order="asc")]
    assert kinds == ["message", "message", "message", "function_call", "function_call_output", "message"], kinds

    session = OpenAIConversationsSession(openai_client=client)
    await Runner.run(greeter, "Hi", session=session)
    assert (await Runner.run(greeter, "And then?", session=session)).final_output == SAYS
    assert len(await session.get_items()) == 4
    await client.close()
    print("9 runs")


asyncio.run(main())
