import asyncio


async def fail():
    await asyncio.sleep(0)
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
        raise ValueError("in a task")


asyncio.run(fail())
