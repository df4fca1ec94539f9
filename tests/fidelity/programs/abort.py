import os
import sys

print("lost")
print("seen", file=sys.stderr)
os.abort()
