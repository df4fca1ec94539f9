def f():
    raise ExceptionGroup("all", [ValueError(1), ExceptionGroup("in", [TypeError("t"), OSError(2, "no", "file")])])


print("before")
f()
