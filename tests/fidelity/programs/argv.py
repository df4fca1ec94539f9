# args: ["a b", "", "--", "-x", "ä", "*", "\udcff"]
import sys

print(ascii(sys.argv))
print([ascii(a) for a in sys.orig_argv])
print(sys.argv[0], len(sys.argv))
