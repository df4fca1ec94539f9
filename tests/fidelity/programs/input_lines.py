# stdin: "first\nsecond ä\nthird"
import sys

print(repr(input("? ")))
print(repr(sys.stdin.readline()), repr(sys.stdin.read()), repr(sys.stdin.read()))
