import asyncio


async def work(n):
    await asyncio.sleep(0.01 * n)
    return n


async def main():
    print(await asyncio.gather(*(work(i) for i in range(4))))
    process = await asyncio.create_subprocess_exec("/bin/sh", "-c", "echo child; exit 3")
    print(await process.wait())
    try:
        await asyncio.wait_for(asyncio.sleep(9), 0.01)
    except asyncio.TimeoutError:
        print("timeout")


asyncio.run(main())
