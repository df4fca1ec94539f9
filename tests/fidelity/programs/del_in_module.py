import sys
import types


class D:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("del", self.name)


m = types.ModuleType("made")
m.d = D("in a module")
sys.modules["made"] = m
sys.stash = D("in sys")
import os
os.stash = D("in os")
import builtins
builtins._ = D("in builtins")
