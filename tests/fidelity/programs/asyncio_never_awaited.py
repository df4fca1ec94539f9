async def f():
    pass


kept = f()
print("a coroutine is kept")
