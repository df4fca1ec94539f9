# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""A service as a binary cache: a stock Nix takes environments from it, with the key, and
gets nothing that is private."""
import os
import pathlib
import subprocess
import sys

import httpx
import pytest

from helpers import BUILD, ROOT, clean_state, environment_of, nix
from served import Server, basic, wheel

sys.path.insert(0, str(ROOT / "tests/api"))
from client import Service  # noqa: E402

KEY = "sesame-of-the-test"
DATE = ("--exclude-newer", "2024-09-01")


def store_path(name):
    return f"/nix/store/{name}"


def hashes(state, names):
    """NAR hashes by the store's own book."""
    paths = [store_path(name) for name in names]
    return dict(zip(names, nix(state, "nix-store", "-q", "--hash", *paths).split()))


def settings(index, **more):
    """The index is one of this machine: that it is public nobody would guess."""
    return {"UV_DEFAULT_INDEX": index, "CUVETTE_PUBLIC_INDEXES": index, "NETRC": "/dev/null", **more}


class Shared:
    """A state with a public and a private environment, and the service on it."""

    def __init__(self, state, server, closed):
        self.state, self.server = state, server
        server.add(wheel("alpha", requires=("beta",), payload=os.urandom(300_000)))
        server.add(wheel("beta"))
        server.add(wheel("delta"))
        closed.add(wheel("gamma"))
        closed.auth = basic("who", "word")
        self.public = environment_of(state, "alpha\n", *DATE, env=settings(server.index))
        private = settings(closed.index.replace("://", "://who:word@"), UV_INDEX=server.index)
        self.private = environment_of(state, "gamma\nbeta\n", *DATE, env=private)
        own = settings(server.index, CUVETTE_PUBLIC_INDEXES="")
        self.unlisted = environment_of(state, "delta\n", *DATE, env=own)
        self.service = Service(state, CACHE_SHARE="1", API_KEY=KEY, **settings(server.index))

    @property
    def key(self):
        return (self.state / "nix/cache.public").read_text().strip()

    def get(self, path, **headers):
        return httpx.get(self.service.url + path, headers={"X-API-Key": KEY, **headers}, timeout=250)

    def narinfo(self, store_name):
        return self.get(f"/{store_name[:32]}.narinfo")

    def nar(self, store_name):
        """The path of its archive."""
        lines = dict(line.split(": ", 1) for line in self.narinfo(store_name).text.splitlines())
        return "/" + lines["URL"]


@pytest.fixture(scope="module", name="shared")
def shared_service():
    with clean_state() as state, Server() as server, Server() as closed:
        shared = Shared(state, server, closed)
        with shared.service:
            yield shared


def stock_nix(folder, shared, *words):
    """Nix as it comes, with a netrc that has the key, trusting the service's."""
    netrc = folder / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login anybody password {KEY}\n")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "NIX_CONF_DIR": str(folder), "NIX_USER_CONF_FILES": ""}
    (folder / "nix.conf").write_text(f"experimental-features = nix-command\ntrusted-public-keys = {shared.key}\n"
                                     f"netrc-file = {netrc}\nrequire-sigs = true\nbuild-users-group =\n")
    return subprocess.run(["nix", *words], env=env, capture_output=True, text=True, timeout=250, check=False,
                          stdin=subprocess.DEVNULL)


def test_stock_nix_takes_the_whole_closure(shared, tmp_path):
    path, store = store_path(shared.public["env"]), tmp_path / "store"
    done = stock_nix(tmp_path, shared, "copy", "--from", shared.service.url, "--to", str(store), path)
    assert done.returncode == 0, done.stderr
    names = [*shared.public["closure"], shared.public["image"]]
    found = stock_nix(tmp_path, shared, "path-info", "--store", str(store), "--json", *map(store_path, names))
    assert found.returncode == 0, found.stderr
    done = stock_nix(tmp_path, shared, "store", "verify", "--store", str(store), "--no-trust", path, "--recursive")
    assert done.returncode == 0, done.stderr
    for name in shared.public["closure"]:
        assert (store / "nix/store" / name).exists()


def test_stock_nix_that_trusts_another_key_takes_nothing(shared, tmp_path):
    path, store = store_path(shared.public["closure"][1]), tmp_path / "store"

    class Other:
        key = "another-1:" + "A" * 43 + "="

    done = stock_nix(tmp_path, Other, "copy", "--from", shared.service.url, "--to", str(store), path)
    assert done.returncode != 0
    assert "signature" in done.stderr, done.stderr
    assert not (store / "nix/store" / shared.public["closure"][1]).exists()


def test_nothing_without_the_key(shared):
    for path in ("/nix-cache-info", f"/{shared.public['digest']}.narinfo", shared.nar(shared.public["env"])):
        for how in ({}, {"headers": {"X-API-Key": "wrong"}}, {"auth": ("x", "wrong")}, {"auth": (KEY, "")},
                    {"headers": {"Authorization": "Basic !"}}):
            answer = httpx.get(shared.service.url + path, timeout=250, **how)
            assert answer.status_code == 401, (path, how)
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert httpx.get(shared.service.url + path, auth=("anybody", KEY), timeout=250).status_code == 200
        assert httpx.post(shared.service.url + path, auth=("anybody", KEY), timeout=250).status_code == 405
    # A password is for these paths only.
    assert httpx.post(shared.service.url + "/api/v1/run", auth=("anybody", KEY), timeout=250).status_code == 401


def test_private_things_are_not_there(shared):
    for name in shared.private["closure"]:
        public = "-beta-" in name
        assert shared.narinfo(name).status_code == (200 if public else 404), name
    # An index of an inner network has no password; it is public when the operator says so.
    for name in shared.unlisted["closure"]:
        if name not in shared.public["closure"]:
            assert shared.narinfo(name).status_code == 404, name
    gamma = next(name for name in shared.private["closure"] if "-gamma-" in name)
    hash_text = hashes(shared.state, [gamma])[gamma].removeprefix("sha256:")
    assert shared.get(f"/nar/{gamma[:32]}-{hash_text}.nar.zst").status_code == 404
    # Nor is what has no part in any environment: the resolver.
    uv = os.readlink(shared.state / "nix/nix/var/nix/gcroots/cuvette/uv")
    assert shared.narinfo(pathlib.Path(uv).name).status_code == 404


def test_archive_in_parts(shared):
    path = shared.nar(next(name for name in shared.public["closure"] if "-alpha-" in name))
    whole = shared.get(path)
    assert (whole.status_code, whole.headers["Accept-Ranges"]) == (200, "bytes")
    assert len(whole.content) > 300_000
    tag = whole.headers["ETag"]
    part = shared.get(path, Range="bytes=1000-200999")
    assert (part.status_code, part.content) == (206, whole.content[1000:201_000])
    assert part.headers["Content-Range"] == f"bytes 1000-200999/{len(whole.content)}"
    rest = shared.get(path, Range="bytes=201000-", **{"If-Range": tag})
    assert (rest.status_code, rest.content) == (206, whole.content[201_000:])
    assert shared.get(path, Range="bytes=5-", **{"If-Range": '"other"'}).content == whole.content
    beyond = shared.get(path, Range=f"bytes={len(whole.content)}-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole.content)}")


def test_what_is_no_path_of_the_cache(shared):
    digest = shared.public["digest"]
    right = shared.nar(shared.public["env"])
    for path in (f"/{'0' * 32}.narinfo", f"/{digest}.narinfo.txt", f"/{digest}", f"/x/{digest}.narinfo",
                 right.replace(".zst", ".xz"), f"/nar/{digest}-{'0' * 52}.nar.zst", "/nar/..%2f..%2fcache.secret"):
        assert shared.get(path).status_code == 404, path


def test_the_key_is_the_builders_alone(shared):
    secret = shared.state / "nix/cache.secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.stat().st_uid == (shared.state / "nix").stat().st_uid
    name, _, text = shared.key.partition(":")
    assert name.startswith("cuvette-")
    assert secret.read_text().startswith(name + ":")
    assert text not in secret.read_text()
    said = subprocess.run([str(BUILD / "bin/cuvette"), "env", "key", "--state", str(shared.state)], text=True,
                          capture_output=True, check=True, timeout=250)
    assert said.stdout.strip() == shared.key


def test_damage_is_not_given_away(shared):
    """What changed since Nix hashed it is found out as it is packed."""
    name = next(name for name in shared.private["closure"] if "-beta-" in name)
    path = shared.nar(name)
    file = next(p for p in (shared.state / "nix/nix/store" / name).rglob("beta.py"))
    text, mode = file.read_bytes(), file.stat().st_mode
    file.chmod(0o644)
    file.write_bytes(text.replace(b"V", b"W", 1))
    file.chmod(mode)
    try:
        for packed in (shared.state / "nix/nars").glob(f"{name[:32]}-*"):
            packed.unlink()
        assert shared.get(path).status_code == 500
    finally:
        file.chmod(0o644)
        file.write_bytes(text)
        file.chmod(mode)
    assert shared.get(path).status_code == 200


def test_off_unless_asked_for(shared):
    with clean_state() as state, Service(state, API_KEY=KEY) as service:
        for path in ("/nix-cache-info", f"/{shared.public['digest']}.narinfo"):
            assert httpx.get(service.url + path, headers={"X-API-Key": KEY}, timeout=250).status_code == 404
        assert not (state / "nix/cache.secret").exists()


def test_no_cache_without_a_key(shared):
    with clean_state() as state:
        done = subprocess.run([str(BUILD / "bin/cuvette"), "serve", "--listen", "127.0.0.1:0", "--state",
                               str(state)],
                              env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "CACHE_SHARE": "1"},
                              capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 1 and not done.stdout
    assert "API_KEY" in done.stderr
