# SPDX-License-Identifier: MIT
"""What dialect D runs as main.py for a test case with code of its own: the client's module, whose output goes
nowhere, and then the case's code in the same names, whose output is what is compared."""

import os
import sys
import types


def run(name, names):
    with open(name, "rb") as file:
        exec(compile(file.read(), name, "exec", dont_inherit=True), names)


def run_silent(name, names):
    out, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    try:
        run(name, names)
    except SystemExit:
        pass  # a program that has come to its end; its names are there
    finally:
        for stream in {sys.stdout, sys.__stdout__}:
            stream.flush()
        os.dup2(out, 1)
        os.close(out)


def main():
    module = types.ModuleType("__main__")
    module.__file__ = "solution.py"
    ours, sys.modules["__main__"] = sys.modules["__main__"], module
    run_silent("solution.py", module.__dict__)
    run("test_case.py", module.__dict__)
    del ours  # kept until here, because we are running in it


main()
