# stdin: "bytes\u0000with nul\r\nand more"
import os
import sys

print(os.read(0, 3), sys.stdin.buffer.read(), os.fstat(0).st_size)
os.lseek(0, 0, 0)
print(sys.stdin.fileno(), os.read(0, 100))
