import ctypes

libc = ctypes.CDLL(None)
text = ctypes.create_string_buffer(b"registered in C")
libc["__cxa_atexit"](libc.puts, text, None)
libc.printf(b"printed, ")
print("main", flush=True)
