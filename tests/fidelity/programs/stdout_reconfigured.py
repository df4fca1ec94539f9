import sys

sys.stdout.reconfigure(encoding="latin-1", errors="backslashreplace", line_buffering=True)
print("ä € \udcff")
sys.stdout.detach()
