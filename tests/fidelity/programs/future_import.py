"""A docstring that stays."""
from __future__ import annotations

import sys

def f(a: not_there) -> neither: ...

print(f.__annotations__, __doc__)
print(eval("1", {}), compile("1", "x", "eval").co_flags)
sys.exit(3)
