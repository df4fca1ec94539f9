# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""Source distributions through HTTP and the command line: allowed or not, marked where
built, and slow ones that are nobody else's delay."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading

import client
import pytest

sys.path.insert(0, str(client.ROOT / "tests/nixenv"))
from sdists import Index, own, serving  # noqa: E402
from served import Server, wheel  # noqa: E402

BUILD = "def build_wheel(folder, config=None, metadata=None):\n    {0}\n    return wheel(folder)\n"
ENDLESS = BUILD.format("import time; time.sleep(600)")


@pytest.fixture(scope="module")
def index():
    """Two of them: `wheels` is of wheels, which it may be slow to give."""
    made = Index()
    with serving(made) as address, Server() as made.wheels:
        made.address = f"{made.wheels.index} {address}"
        yield made


@pytest.fixture(scope="module")
def allowed(index):
    with client.Service(client.suite_state(), "--zygotes", "0", UV_INDEX=index.address, CUVETTE_LOCK_KINDS="archive",
                        CUVETTE_TRUSTED_ORIGINS=index.address) as running:
        yield running


def unique(name):
    """The store keeps what was built; this is new each time."""
    return f"cuv-{name}-{client.new_mark()}"


def add_sdist(index, name, code=None):
    index.add_sdist(name, own(name.replace("-", "_"), code or BUILD.format("pass")))
    return name


def add_wheel(index, name):
    index.wheels.add(wheel(name))
    return name


def test_what_was_built_here_is_marked(index, allowed):
    source, ready = add_sdist(index, unique("source")), add_wheel(index, unique("ready"))
    answer = allowed.answer("pass\n", f"{source}\n{ready}\n")
    expected = [{"name": ready, "version": "1.0"}, {"name": source, "version": "1.0", "built": True}]
    assert answer["environment"]["packages"] == expected
    again = allowed.answer("pass\n", f"{source}\n{ready}\n")
    assert again["environment"]["cached"] and again["environment"]["packages"] == expected
    shown = subprocess.run([client.BIN / "cuvette", "env", "show", "--state", client.suite_state(),
                            answer["environment"]["digest"]], capture_output=True, text=True, check=True).stdout
    lines = {line.split()[-3]: line for line in shown.splitlines() if "sha256:" in line}
    assert [line for line in shown.splitlines() if line.endswith("built here")] == \
        [line for line in shown.splitlines() if f"{source} 1.0" in line], (lines, shown)
    told = json.loads(subprocess.run([client.BIN / "cuvette", "env", "show", "--json", "--state", client.suite_state(),
                                      answer["environment"]["digest"]], capture_output=True, check=True).stdout)
    assert told["built"] == [source]


@contextlib.contextmanager
def pending(service, names):
    """Requests for these that have not been answered; they are given up in the end."""
    sockets = []
    try:
        for name in names:
            body = (client.part("requirements", f"{name}\n".encode(), "requirements.txt") + client.CODE + client.END)
            sockets.append(service.connect())
            sockets[-1].sendall(client.request(body))
        yield sockets
    finally:
        for s in sockets:
            s.close()


def test_builds_without_end_are_nobody_elses_delay(index, allowed):
    names = [add_sdist(index, unique("endless"), ENDLESS) for _ in range(3)]
    with pending(allowed, names):
        # All three are at it: the first two are being built, or are about to be.
        client.wait_until(lambda: all(any(path.startswith(f"/files/{name}/") for path in index.asked) for name in names),
                          120, "their sources are fetched")
        answer = allowed.answer("pass\n", f"{add_wheel(index, unique('other'))}\n", timeout_s=300)
        assert answer["status"] == "success"


def test_fetches_without_end_are_nobody_elses_delay(index, allowed):
    go = threading.Event()
    names = [unique("stalled") for _ in range(2)]
    paths = [index.wheels.add(wheel(name)) for name in names]
    index.wheels.behaviours |= {path: lambda reply: go.wait(300) and reply.hang_up() for path in paths}
    try:
        with pending(allowed, names):
            client.wait_until(lambda: all(map(index.wheels.ours, paths)), 120, "their wheels are being fetched")
            answer = allowed.answer("pass\n", f"{add_wheel(index, unique('other'))}\n", timeout_s=300)
            assert answer["status"] == "success"
    finally:
        go.set()


def test_an_archive_in_a_lock_where_that_kind_is_allowed(index, allowed):
    name = unique("packed")
    index.add(name, "packed.tar.gz", own(name.replace("-", "_"), BUILD.format("pass")))
    data = index.projects[name]["packed.tar.gz"]
    site = index.address.split()[1].removesuffix("/simple")
    entry = f'url = "{site}/files/{name}/packed.tar.gz", hashes = {{ sha256 = "{hashlib.sha256(data).hexdigest()}" }}'

    def send(text):
        return allowed.post([("lock", ("pylock.toml", f'lock-version = "1.0"\n[[packages]]\nname = "{name}"\n{text}\n'.encode())),
                             ("code", ("main.py", f"import {name.replace('-', '_')} as m\nprint(m.VALUE)\n".encode()))])

    answer = send(f"archive = {{ {entry} }}").json()
    assert answer.get("stdout") == "42\n", answer
    assert answer["environment"]["packages"] == [{"name": name, "version": "1.0", "built": True}]
    for text in (f'vcs = {{ type = "git", url = "{site}/x", commit-id = "{"0" * 40}" }}', 'directory = { path = "." }'):
        error = send(text).json()["error"]
        assert (error["code"], error["details"]["line"]) == ("lock-unsupported", 4), error


# --- ALLOW_SDIST ---

def refusal(response, line=1):
    assert response.status_code == 422, response.text
    error = response.json()["error"]
    assert error["code"] == "wheel-unavailable" and "(ALLOW_SDIST=0)" in error["message"], error
    assert error["details"].get("line") == line, error
    return error


def test_off(index, allowed):
    name = add_sdist(index, unique("refused"))
    lock = allowed.answer("pass\n", f"{name}\n")["environment"]["lock"]
    # Of the same source, but nothing that was made of it.
    pending_lock = lock.partition("\n[packages.tool.cuvette]")[0]
    other = add_sdist(index, unique("refused"))
    allowed.stop()
    with client.Service(client.suite_state(), "--zygotes", "0", UV_INDEX=index.address, ALLOW_SDIST="0") as off:
        assert other in refusal(off.run("pass\n", f"# one\n{other}\n"), 2)["message"]
        assert name in refusal(off.post([("lock", ("pylock.toml", pending_lock.encode(), "text/plain")),
                                         ("code", ("main.py", b"pass\n", "text/x-python"))]), None)["message"]
    done = subprocess.run([client.BIN / "cuvette", "serve", "--state", client.suite_state(), "--allow-sdist", "2"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "allow-sdist: 2 is neither 0 nor 1" in done.stderr


def cli(index, *words, **environment):
    with_index = {**{k: v for k, v in os.environ.items() if not k.startswith("CUVETTE_")}, "UV_INDEX": index.address}
    return subprocess.run([client.BIN / "cuvette", *words], capture_output=True, text=True, timeout=280, check=False,
                          env=with_index | environment, stdin=subprocess.DEVNULL)


def test_the_command_line_without_a_service(index, tmp_path):
    """`run`, `env build` and `env lock` build them by themselves, or say why not."""
    state = ["--state", str(client.suite_state())]
    program = tmp_path / "main.py"
    program.write_text("print('ran')\n")
    for n, words in enumerate((["run", *state, "-r"], ["env", "build", *state, "-r"], ["env", "lock", *state, "-r"])):
        file = tmp_path / f"requirements-{n}.txt"
        file.write_text(add_sdist(index, unique("alone")) + "\n")
        last = [str(program)] if n == 0 else []
        off = cli(index, *words, str(file), *last, ALLOW_SDIST="0")
        assert off.returncode == 2 and "wheel-unavailable" in off.stderr, off
        assert "(ALLOW_SDIST=0)" in off.stderr and f"{file.name}:1" in off.stderr, off
        on = cli(index, *words, str(file), *last)
        assert on.returncode == 0, on
        assert (on.stdout == "ran\n", len(on.stdout) == 33, "[packages.tool.cuvette]" in on.stdout)[n], on
