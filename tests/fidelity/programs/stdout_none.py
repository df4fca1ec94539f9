import sys

print("a")
sys.stdout = None
print("b")
sys.stderr = None
1 / 0
