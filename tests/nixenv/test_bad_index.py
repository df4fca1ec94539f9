# SPDX-License-Identifier: MIT
"""An index that is slow, wrong, endless or malicious, as the resolver meets it: each
time a typed failure within the limits, and what was known before is there after it.
The downloader's part is in test_downloads.py and test_private_index.py."""
import json
import threading

import pytest
from helpers import ask
from served import wheel

DATE = ("--exclude-newer", "2024-09-01")


def asked(state, index, text, *options):
    [answer] = ask(state, text, *DATE, *options, env={"UV_DEFAULT_INDEX": index.index, "NETRC": "/dev/null"})
    return answer


def failure_of(state, index, text, *options):
    answer = asked(state, index, text, *options)
    assert "failure" in answer, answer
    said = json.dumps(answer["failure"])
    assert "127.0.0.1" not in said and str(state) not in said and len(said) < 20_000
    assert not list((state / "nix/tmp").iterdir())
    return answer["failure"]


def test_resolution_bomb(state, index):
    """Pigeons and holes, one hole too few: no set of versions, and no short proof of it."""
    holes = 11
    for hole in range(holes):
        for pigeon in range(holes + 1):
            index.add(wheel(f"hole-{hole}", version=f"{pigeon}.0"))
    for pigeon in range(holes + 1):
        for hole in range(holes):
            index.add(wheel(f"pigeon-{pigeon}", version=f"{hole}.0", requires=[f"hole-{hole}=={pigeon}.0"]))
    text = "".join(f"pigeon-{n}\n" for n in range(holes + 1))
    assert failure_of(state, index, text, "--resolve-ms", "2000")["code"] == "resolve-timeout"


def test_index_without_end_of_packages(state, index):
    """Each needs two more: more than an environment may have."""
    for n in range(510):
        index.add(wheel(f"chain-{n}", requires=[f"chain-{k}" for k in (2 * n + 1, 2 * n + 2) if k < 510]))
    assert failure_of(state, index, "chain-0\n")["code"] == "environment-too-large"


def silent(reply, gone):
    gone.wait(30)
    reply.hang_up()


def dribbling(reply, gone):
    reply.head(200, 1 << 20, Content_Type="application/vnd.pypi.simple.v1+json")
    while not gone.wait(0.05):
        reply.body(b" ")


def endless(reply, gone):
    reply.head(200, 1 << 40, Content_Type="application/vnd.pypi.simple.v1+json")
    reply.handler.wfile.write(b'{"meta": {"api-version": "1.1"}, "name": "x", "files": [')
    row = json.dumps({"filename": "x-1.0-py3-none-any.whl", "url": "x", "hashes": {}}).encode() + b","
    while not gone.wait(0.01):
        reply.handler.wfile.write(row * 1000)


SLOW = [silent, dribbling, endless]


@pytest.mark.parametrize("behave", SLOW)
def test_slow_index(state, index, behave):
    name = f"slow-{behave.__name__}"
    gone = threading.Event()
    index.add(wheel(name))
    index.resolver[f"/simple/{name}/"] = lambda reply: behave(reply, gone)
    try:
        assert failure_of(state, index, f"{name}\n", "--resolve-ms", "1500")["code"] == "resolve-timeout"
    finally:
        gone.set()


JSON = "application/vnd.pypi.simple.v1+json"
WRONG = {
    "no-json": lambda reply: reply.whole(b"<html>in maintenance</html>", Content_Type=JSON),
    "cut": lambda reply: reply.whole(reply.data[:50], Content_Type=JSON),
    "deep": lambda reply: reply.whole(b"[" * 1_000_000, Content_Type=JSON),
    "other-type": lambda reply: reply.whole(b"\x89PNG\r\n", Content_Type="image/png"),
    "bytes": lambda reply: reply.whole(bytes(range(256)) * 100, Content_Type="text/html"),
    "html-of-another": lambda reply: reply.whole(b"<a href='../other-1.0-py3-none-any.whl'>other-1.0</a>", Content_Type="text/html"),
    "nothing": lambda reply: reply.whole(b"", Content_Type=JSON),
    "hangs-up": lambda reply: reply.hang_up(),
    "error": lambda reply: reply.head(500, 0),
    "closed": lambda reply: reply.head(403, 0),
    "round": lambda reply: reply.redirect(reply.path),
}


@pytest.mark.parametrize("name", WRONG)
def test_index_that_answers_wrongly(state, index, name):
    package = f"wrong-{name}"
    index.add(wheel(package))
    index.resolver[f"/simple/{package}/"] = WRONG[name]
    said = failure_of(state, index, f"{package}\n", "--resolve-ms", "60000")
    if name in ("bytes", "html-of-another", "closed"):  # it is not there, for all that anybody can tell
        assert said["code"] == "requirements-unresolvable", said
    else:
        assert said["code"] == "index-unreachable" and said["status"] == 503 and said["retry_after"] > 0, said


def test_all_of_it_is_served_when_the_index_is_mended(state, index):
    """Neither a failure is kept for the next builder, nor what the resolver had of it."""
    index.resolver.clear()
    names = sorted([f"wrong-{name}" for name in WRONG] + [f"slow-{behave.__name__}" for behave in SLOW])
    for name in names:  # where one was run alone
        index.projects.get(name) or index.add(wheel(name))
    assert asked(state, index, "".join(f"{name}\n" for name in names)).get("packages") == [f"{name} 1.0" for name in names]
