import sys

sys.exit(4294967296 + 259)
