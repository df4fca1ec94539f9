try:
    x = bytearray(1 << 62)
except MemoryError as e:
    print("MemoryError", e)
[0] * (1 << 61)
