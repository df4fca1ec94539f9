# SPDX-License-Identifier: MIT
# tests/run: seconds=300
"""Locks that name files by paths: refused, or taken from a folder of the operator's by name and sha256."""
import os
import pathlib
import sys
import tempfile
import tomllib

import pytest
from helpers import ROOT, clean_state, nix
from locks import HEAD, Locker, sdist, sha, wheels
from sdists import own
from served import Server, wheel

sys.path.insert(0, str(ROOT / "tests/api"))
from client import Service  # noqa: E402


def package(name, source):
    return f'{HEAD}[[packages]]\nname = "{name}"\nversion = "1.0"\n{source}\n'


class House(Locker):
    """A folder of files, an index that has others, and what is asked of `cuvette`."""

    def __init__(self, state, index):
        super().__init__(state, UV_DEFAULT_INDEX=index.index, CUVETTE_PUBLIC_INDEXES=index.index)
        self.index = index
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="house-"))
        self.folder.chmod(0o755)
        self.allowed = {"CUVETTE_LOCK_KINDS": "path", "CUVETTE_WHEELHOUSE": str(self.folder)}

    def add(self, name, data):
        (self.folder / name).write_bytes(data)
        return data

    def build(self, lock, **more):
        return super().build(lock, **(more or self.allowed))


@pytest.fixture(scope="module", name="house")
def made_house():
    with clean_state() as state, Server() as index:
        yield House(state, index)


def test_wheel_at_a_path(house):
    file, data, _ = made = wheel("cuv-here")
    by_path = package("cuv-here", wheels(f'path = "../elsewhere/{file}"', data))
    refused, why = house.build(by_path, CUVETTE_LOCK_KINDS="vcs,archive")
    assert refused is None and "lock-unsupported" in why and "CUVETTE_LOCK_KINDS" in why, why
    house.add(file, data)
    digest, why = house.build(by_path)
    assert digest, why
    assert (house.folder / file).read_bytes() == data
    assert not house.index.seen and not house.public("cuv-here")
    lock = house.lock_of(digest)
    [entry] = tomllib.loads(lock)["packages"]
    assert entry["wheels"] == [{"name": file, "path": file, "size": len(data), "hashes": {"sha256": sha(data)}}]
    # A file: address is no other thing, nor is what the answer says.
    assert house.build(package("cuv-here", wheels(f'url = "file:///elsewhere/{file}"', data)))[0] == digest
    house.forget()
    assert house.build(lock)[0] == digest and not house.index.seen
    # A collection takes wheels that are installed: to export one it is taken from the folder again.
    [kept] = (house.state / "nix/nix/store").glob(f"*-{file}")
    nix(house.state, "nix-store", "--gc")
    assert not kept.exists()
    done = house.cuvette("env", "export", digest, str(house.folder / "parcel"), **house.allowed)
    assert done.returncode == 0 and not house.index.seen, done
    # Of an index it is the same environment, which is everybody's.
    house.forget()
    house.index.add(made)
    assert house.build(package("cuv-here", wheels(f'name = "{file}"', data)), CUVETTE_LOCK_KINDS="")[0] == digest
    assert house.public("cuv-here")


def test_files_that_are_not_taken(house):
    name = "cuv_not-1.0-py3-none-any.whl"
    data = wheel("cuv-not")[1]
    lock = package("cuv-not", wheels(f'path = "{name}"', data))
    place, other = house.folder / name, house.folder / "other"

    def refused(code):
        digest, why = house.build(lock)
        assert digest is None and code in why and str(house.folder) not in why, why

    refused("wheel-unavailable")
    other.write_bytes(data)
    place.symlink_to("other")
    refused("wheel-unavailable")
    place.unlink()
    os.mkfifo(place)
    refused("wheel-unavailable")
    place.unlink()
    place.write_bytes(data.replace(b"1.0", b"1.1", 1))
    refused("hash-mismatch")
    place.write_bytes(data)
    assert house.build(lock)[0]


def test_source_at_a_path(house):
    data = house.add("cuv_source-1.0.tar.gz", own("cuv_source"))
    lock = package("cuv-source", sdist('path = "dist/cuv_source-1.0.tar.gz"', data))
    digest, why = house.build(lock)
    assert digest, why
    text = house.lock_of(digest)
    [entry] = tomllib.loads(text)["packages"]
    assert entry["sdist"] == {"name": "cuv_source-1.0.tar.gz", "path": "cuv_source-1.0.tar.gz", "hashes": {"sha256": sha(data)}}
    refused, why = house.build(text, CUVETTE_LOCK_KINDS="")
    assert refused is None and "lock-unsupported" in why and "`path`" in why, why
    house.forget()
    assert house.build(text)[0] == digest
    assert not house.public("cuv-source")


def test_what_a_lock_says_of_a_source_that_is_here(house):
    """Its hash is found; that it is at the address too is nobody's word but the sender's."""
    trust = {"CUVETTE_TRUSTED_ORIGINS": house.index.site}
    data = house.index.files["/x/cuv_claim-1.0.tar.gz"] = own("cuv_claim")
    address = f"{house.index.site}/x/cuv_claim-1.0.tar.gz"

    def lock(url, more=""):
        return package("cuv-claim", sdist(f'url = "{url}"', data)) + more

    def told(digest):
        return [entry.get("sdist") for entry in tomllib.loads(house.lock_of(digest))["packages"] if entry["name"] == "cuv-claim"]

    other, others = wheel("cuv-beside")[:2]
    house.index.add(wheel("cuv-beside"))
    beside = f'[[packages]]\nname = "cuv-beside"\nversion = "1.0"\n{wheels(f"name = {chr(34)}{other}{chr(34)}", others)}\n'
    first, why = house.build(lock(address), **trust)
    assert first, why
    assert told(first)[0]["url"] == address
    # In another environment, built of nothing that was fetched.
    second, why = house.build(lock("https://stranger.invalid/cuv_claim-1.0.tar.gz", beside), **trust)
    assert second, why
    assert told(second) == [{"name": "cuv_claim-1.0.tar.gz", "hashes": {"sha256": sha(data)}}]
    assert "stranger" not in house.lock_of(second)
    assert [path for path, _ in house.index.seen].count("/x/cuv_claim-1.0.tar.gz") == 1


def test_service(house):
    file, data, _ = wheel("cuv-served")
    house.add(file, data)
    lock = package("cuv-served", wheels(f'path = "{file}"', data))
    folder = package("cuv-served", 'directory = { path = "." }')

    def post(service, text):
        return service.post([("code", ("main.py", b"import cuv_served\nprint(cuv_served.VERSION)\n")),
                             ("lock", ("pylock.toml", text.encode()))], {"lint": "off"})

    with Service(house.state, "--lock-kinds", "file", "--wheelhouse", str(house.folder), "--zygotes", "0",
                 **house.environment) as service:
        answer = post(service, lock)
        assert answer.status_code == 200 and answer.json()["stdout"] == "1.0\n", answer.text
        answer = post(service, folder)
        error = answer.json()["error"]
        where = error["details"]
        assert (answer.status_code, error["code"], where["line"], where["column"]) == (422, "lock-unsupported", 6, 13)
        assert "has no hash" in error["message"]
    with Service(house.state, "--zygotes", "0", **house.environment) as service:
        answer = post(service, lock)
        error = answer.json()["error"]
        where = error["details"]
        assert (answer.status_code, error["code"], where["line"], where["column"]) == (422, "lock-unsupported", 6, 20)
        assert "CUVETTE_WHEELHOUSE" in error["message"]


def test_settings_that_can_not_be(house):
    for env, word in (({"CUVETTE_LOCK_KINDS": "path"}, "CUVETTE_WHEELHOUSE"),
                      ({"CUVETTE_LOCK_KINDS": "path", "CUVETTE_WHEELHOUSE": "dist"}, "absolute path"),
                      ({"CUVETTE_WHEELHOUSE": str(house.folder / "none")}, "absolute path")):
        for words in (("env", "list"), ("serve", "--listen", "127.0.0.1:0")):
            done = house.cuvette(*words, **env)
            assert done.returncode != 0 and word in done.stderr, done
