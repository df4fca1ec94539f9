import sys

sys.addaudithook(lambda event, args: print(event) if event.startswith(("cpython.", "import")) else None)
import colorsys
