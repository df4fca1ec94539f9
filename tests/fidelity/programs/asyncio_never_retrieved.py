import asyncio


async def fail():
    raise ValueError("never retrieved")


async def main():
    global kept
    kept = asyncio.ensure_future(fail())
    await asyncio.sleep(0.01)


asyncio.run(main())
print("end")
