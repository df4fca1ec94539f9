import os
import sys

sys.stdout.buffer.write(bytes(range(256)) * 64)
sys.stdout.flush()
os.write(1, b"\0\xff")
sys.stdout.write("text after\n")
sys.stdout.buffer.write(b"unflushed \x80")
