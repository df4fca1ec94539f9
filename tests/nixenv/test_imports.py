# SPDX-License-Identifier: MIT
# tests/run: seconds=900
"""Environments do what a virtual environment does, in a box of the real launcher."""
import json
import subprocess

from helpers import BUILD, environment_of, physical, suite_state

BOXRUN = BUILD / "tests/helpers/boxrun"
LAUNCHER = BUILD / "bin/cuvette-launcher"


def run(state, answer, *argv, program=None):
    """stdout of a program run in a box with this environment."""
    closure = [word for name in answer["closure"] for word in ("--closure", name)]
    argv = argv or (f"/nix/store/{answer['env']}/bin/python", "-c", program)
    done = subprocess.run(
        [str(BOXRUN), "--launcher", str(LAUNCHER), "--store", str(state / "nix/nix/store"), "--image", answer["image"],
         "--env", answer["env"], *closure, "--limit", "memory=2147483648", "--limit", "timeout=120", "--", *argv],
        capture_output=True, text=True, timeout=200, check=False, stdin=subprocess.DEVNULL)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert "success" in [line.get("status") for line in lines], (done.stdout, done.stderr)
    return done.stdout


def test_numpy_and_pandas():
    state = suite_state()
    answer = environment_of(state, "numpy==2.3.0\npandas==2.3.0\n")
    out = run(state, answer, program="""
import sys, numpy, pandas
frame = pandas.DataFrame({"a": numpy.arange(4)})
print(numpy.__version__, pandas.__version__, frame.a.sum(), sys.prefix == sys.exec_prefix != sys.base_prefix)
loaded = [m for m in sys.modules.values() if getattr(m, "__cached__", None) and "site-packages" in m.__file__]
import os
print(len(loaded) > 300, [m.__name__ for m in loaded if not os.path.exists(m.__cached__)])
""")
    assert out == "2.3.0 2.3.0 6 True\nTrue []\n"


def test_scripts_and_metadata():
    state = suite_state()
    answer = environment_of(state, "flask==3.1.0\n")
    out = run(state, answer, f"/nix/store/{answer['env']}/bin/flask", "--version")
    assert "Flask 3.1.0" in out and "Python 3.11" in out
    out = run(state, answer, program="""
import importlib.metadata as m, hashlib, base64, sys
print(sorted(d.name.lower() for d in m.distributions()))
bad = 0
for d in m.distributions():
    for f in d.files:
        data = f.locate().read_bytes()
        if f.hash and base64.urlsafe_b64encode(hashlib.new(f.hash.mode, data).digest()).rstrip(b"=").decode() != f.hash.value:
            bad += 1
print(bad, m.entry_points(group="console_scripts", name="flask")["flask"].value)
""")
    names, checked = out.splitlines()
    assert names == str(sorted(p.split()[0] for p in answer["packages"]))
    assert checked == "0 flask.cli:main"


def test_namespace_packages_are_merged():
    state = suite_state()
    answer = environment_of(state, "zope.interface==7.2\nzope.event==5.0\n")
    out = run(state, answer, program="import zope.interface, zope.event; print(zope.event.__file__)")
    assert out.strip().endswith("zope/event/__init__.py")
    folder = physical(state, answer["env"]) / "lib/python3.11/site-packages/zope"
    assert folder.is_dir() and not folder.is_symlink()

