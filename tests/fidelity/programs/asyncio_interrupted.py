import asyncio
import signal


async def main():
    asyncio.get_running_loop().call_later(0.02, signal.raise_signal, signal.SIGINT)
    try:
        await asyncio.sleep(5)
    finally:
        print("cancelled")


asyncio.run(main())
