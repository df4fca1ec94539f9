# SPDX-License-Identifier: MIT
# tests/run: seconds=300
"""Environments from an index that wants a password and breaks off, the whole way: its
credentials reach the index, and nothing else."""
import json
import os
import pathlib
import subprocess

import pytest
from helpers import BUILD, ask
from served import Server, basic, wheel

SECRET = "s3cret-of-the-operator"
DATE = ("--exclude-newer", "2024-09-01")


@pytest.fixture
def index():
    with Server() as server:
        yield server


def settings(folder, server, way):
    """The operator's environment: who may log in, told in one of three ways."""
    bare = server.site.removeprefix("http://")
    env = {"NETRC": "/dev/null", "HOME": str(folder)}
    if way == "netrc":
        netrc = folder / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login who password {SECRET}\n")
        config = folder / "uv.toml"
        config.write_text("# an operator's\nindex-strategy = \"first-index\"\n")
        env |= {"NETRC": str(netrc), "UV_DEFAULT_INDEX": server.index, "UV_CONFIG_FILE": str(config),
                "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"}
    elif way == "address":
        env |= {"UV_DEFAULT_INDEX": f"http://who:{SECRET}@{bare}/simple"}
    else:
        env |= {"UV_DEFAULT_INDEX": f"private={server.index}", "UV_INDEX_PRIVATE_USERNAME": "who",
                "UV_INDEX_PRIVATE_PASSWORD": SECRET}
    return env


def files_with(folder, text):
    """Which files of a state folder hold it; the image and the tools are not looked at."""
    found = subprocess.run(["grep", "-rlF", "--exclude-dir=*worker-image*", "--exclude-dir=*-uv-*", text,
                            str(folder / "nix")], capture_output=True, text=True, check=False).stdout
    return [pathlib.Path(line).relative_to(folder).as_posix() for line in found.splitlines()]


@pytest.mark.parametrize("way", ["netrc", "address", "named"])
def test_private_index(state, index, tmp_path, way):
    name = f"private-{way}"
    path = index.add(wheel(name, payload=os.urandom(400_000)))
    index.auth = basic("who", SECRET)
    index.behaviours[path] = lambda reply: reply.cut(300_000, ETag='"1"') if reply.count == 1 else reply.rest()
    tmp_path.chmod(0o755)
    [answer], log = ask(state, f"{name}\n", *DATE, env=settings(tmp_path, index, way), log=True)
    assert answer.get("packages") == [f"{name} 1.0"], answer
    assert [headers.get("Range") for headers in index.ours(path)] == [None, "bytes=300000-"]
    assert SECRET not in json.dumps(answer) + log
    assert files_with(state, SECRET) == []


def test_wrong_password(state, index, tmp_path):
    index.add(wheel("private-closed"))
    index.auth = basic("who", "another")
    [answer], log = ask(state, "private-closed\n", *DATE, env=settings(tmp_path, index, "address"), log=True)
    assert answer["failure"]["code"] in ("index-unreachable", "requirements-unresolvable"), answer
    assert SECRET not in json.dumps(answer) + log
    assert files_with(state, SECRET) == []


def test_index_that_redirects_into_the_network(state, index, tmp_path):
    path = index.add(wheel("private-astray"))
    with Server() as inner:
        index.behaviours[path] = lambda reply: reply.redirect(f"{inner.site}/secret")
        [answer] = ask(state, "private-astray\n", *DATE, env=settings(tmp_path, index, "netrc"))
        assert answer["failure"]["code"] == "address-refused", answer
        assert inner.seen == []


def test_index_with_other_bytes(state, index, tmp_path):
    made = wheel("private-other")
    path = index.add(made)
    index.behaviours[path] = lambda reply: reply.whole(reply.data[:-1] + b"?")
    [answer] = ask(state, "private-other\n", *DATE, env=settings(tmp_path, index, "netrc"))
    assert answer["failure"]["code"] == "hash-mismatch", answer
    index.behaviours.clear()
    [again] = ask(state, "private-other\n", *DATE, env=settings(tmp_path, index, "netrc"))
    assert again.get("packages") == ["private-other 1.0"], again


def test_all_that_the_resolver_may_be_given(state, index, tmp_path):
    """Certificates, settings, passwords and constraints at once."""
    for version in ("1.0", "2.0"):
        index.add(wheel("private-all", version))
    index.auth = basic("who", SECRET)
    (tmp_path / "requirements.txt").write_text("-c limits.txt\nprivate-all\n")
    (tmp_path / "limits.txt").write_text("private-all<2\n")
    tmp_path.chmod(0o755)
    done = subprocess.run([str(BUILD / "bin/cuvette"), "env", "build", "--state", str(state), "--json", *DATE, "-r",
                           str(tmp_path / "requirements.txt")], env={"PATH": os.environ["PATH"], **settings(tmp_path, index, "netrc")},
                          capture_output=True, text=True, timeout=250, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["packages"] == ["private-all 1.0"], done.stdout
