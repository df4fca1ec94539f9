import sys

sys.excepthook = lambda *a: sys.exit(12)
raise ValueError("to the hook")
