"""Adds up the numbers on stdin; keeps the sum in a file as well."""

import sys

total = sum(float(word) for word in sys.stdin.read().split())
print(f"{total:g}")
with open("sum.txt", "w") as out:
    out.write(f"{total:g}\n")
