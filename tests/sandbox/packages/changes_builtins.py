# SPDX-License-Identifier: MIT
"""Replaces builtins and the names of sys."""
import builtins
import sys

print_kept = builtins.print
builtins.print = lambda *a, **k: print_kept("replaced", *a, **k)
builtins.len = lambda x: 7
sys.argv = ["replaced"]
sys.stdout = None
