import sys

print("out", end="")
sys.exit("a message with ä and \udcff")
