import asyncio


async def agen():
    try:
        yield 1
        yield 2
    finally:
        print("closed")


async def main():
    global kept
    kept = agen()
    print(await kept.__anext__())


asyncio.run(main())
print("end")
