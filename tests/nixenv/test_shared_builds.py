# SPDX-License-Identifier: MIT
"""What two environments share is made once: one package more costs its own
installation and one join, and nothing else enters the store."""
import re

from helpers import ask, clean_state, environment_of
from served import Server, wheel

NAMES = [f"piece{i}" for i in range(6)]


def store(state):
    return {path.name for path in (state / "nix/nix/store").iterdir() if not path.name.startswith(".")}


def test_one_package_more_builds_its_own_and_one_join():
    with clean_state() as state, Server() as server:
        for name in NAMES:
            server.add(wheel(name))
        env = {"UV_DEFAULT_INDEX": server.index}
        first = environment_of(state, "".join(f"{name}==1.0\n" for name in NAMES[:5]), env=env)
        before = store(state)
        server.seen.clear()
        [more], log = ask(state, "".join(f"{name}==1.0\n" for name in NAMES), env=env, log=True)
        assert set(first["closure"][1:]) < set(more["closure"][1:]) and len(more["closure"]) == 7
        totals = set(re.findall(r"^building \d+/(\d+) ", log, re.M))
        assert totals == {"2"}, log
        new = sorted(name[33:] for name in store(state) - before)
        assert new == ["cuvette-environment", "lock.json", "piece5-1.0", "piece5-1.0-py3-none-any.whl"]
        fetched = [path for path in server.files if path.endswith(".whl") and server.ours(path)]
        assert fetched == ["/files/piece5-1.0-py3-none-any.whl"]
