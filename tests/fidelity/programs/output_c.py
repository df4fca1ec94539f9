import ctypes

libc = ctypes.CDLL(None)
libc.printf(b"from C, %d\n", 42)
libc.puts(b"and again")
print("from python")
