# SPDX-License-Identifier: MIT
# tests/run: seconds=300
"""Kinds of lock entries that an operator allows: commits of repositories, and archives."""
import io
import pathlib
import sys
import tarfile
import tomllib

import pytest
from helpers import ROOT, clean_state
from locks import HEAD, Locker, hashed, sha, wheels
from repositories import GitServer, Repository, usable
from sdists import BACKEND, PLAIN, PYPROJECT
from served import Server, make_certificate, wheel

sys.path.insert(0, str(ROOT / "tests/api"))
from client import Service  # noqa: E402

CODE = "def build_wheel(folder, config=None, metadata=None):\n    return wheel(folder, requires=['cuv-lib'])\n"

pytestmark = pytest.mark.skipif(not usable(), reason="git's HTTP server is missing")


def project(name, version="1.0", code=PLAIN):
    return {"pyproject.toml": PYPROJECT.format(requires="[]"),
            "backend.py": BACKEND.format(name=name, version=version, code=code)}


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Place(Locker):
    """A state, a repository, and a server with an archive and an index; what is asked of `cuvette`."""

    def __init__(self, state, folder, host, files):
        super().__init__(state, UV_DEFAULT_INDEX=files.index, SSL_CERT_FILE=host.certificate,
                         CUVETTE_TRUSTED_ORIGINS=f"{host.site} {files.site}")
        self.folder, self.host, self.files = folder, host, files
        self.repository = Repository(folder / "one")
        self.commit = self.repository.commit({f"deep/py/{path}": text for path, text in project("cuv_kind", code=CODE).items()})
        self.repository.commit({"later": "on"})
        host.config = [("uploadpack.allowAnySHA1InWant", "true")]
        self.archive = tar_of({f"top/sub/{path}": text for path, text in project("cuv_packed", "2.0").items()})
        files.files["/x/packed.tar.gz"] = self.archive
        files.add(wheel("cuv-lib"))

    def vcs(self, **more):
        entry = {"type": "git", "url": f"{self.host.site}/one/.git", "commit-id": self.commit, "subdirectory": "deep/py", **more}
        lib = self.files.projects["cuv-lib"][0]
        return (HEAD + '[[packages]]\nname = "cuv-kind"\nvcs = { ' + ", ".join(f'{k} = "{v}"' for k, v in entry.items()) + " }\n"
                f'[[packages]]\nname = "cuv-lib"\n' + wheels(f'name = "{lib[0]}"', lib[1]) + "\n")

    def packed(self, subdirectory="sub", digest=None):
        return (HEAD + f'[[packages]]\nname = "cuv-packed"\narchive = {{ url = "{self.files.site}/x/packed.tar.gz", '
                f'subdirectory = "{subdirectory}", hashes = '
                f'{{ sha256 = "{digest or sha(self.archive)}" }} }}\n')

    def cuvette(self, *words, kinds="", **more):
        return super().cuvette(*words, CUVETTE_LOCK_KINDS=kinds, **more)


@pytest.fixture(scope="module", name="place")
def made_place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("git")
    certificate = make_certificate(tmp_path_factory.mktemp("tls"))
    with clean_state() as state, GitServer(folder, tls=certificate) as host, Server() as files:
        host.certificate = certificate[0]
        yield Place(state, pathlib.Path(folder), host, files)


def test_commit_of_a_repository(place):
    refused, why = place.build(place.vcs())
    assert refused is None and "lock-unsupported" in why and "CUVETTE_LOCK_KINDS" in why, why
    refused, why = place.build(place.vcs(), kinds="archive")
    assert refused is None and "`vcs`" in why, why
    assert not place.host.seen
    digest, why = place.build(place.vcs(), kinds="vcs")
    assert digest, why
    lock = place.lock_of(digest)
    [package, lib] = tomllib.loads(lock)["packages"]
    assert (package["name"], package["version"], lib["name"]) == ("cuv-kind", "1.0", "cuv-lib")
    assert package["vcs"] == {"type": "git", "url": f"{place.host.site}/one/.git", "commit-id": place.commit,
                              "subdirectory": "deep/py"}
    assert package["tool"]["cuvette"]["wheel"]["name"] == "cuv_kind-1.0-py3-none-any.whl"
    # Sent again it is the same, of what is here also where the kind is not allowed.
    seen = len(place.host.seen)
    assert place.build(lock)[0] == digest
    assert place.build(lock, kinds="vcs,archive")[0] == digest
    assert len(place.host.seen) == seen
    # It is nobody else's: no note that it is public.
    assert not place.public("cuv-kind")
    place.forget()
    refused, why = place.build(lock)
    assert refused is None and "`vcs`" in why, why
    assert place.build(lock, kinds="vcs")[0] == digest
    other = lock.replace(package["tool"]["cuvette"]["wheel"]["hashes"]["sha256"], "0" * 64)
    refused, why = place.build(other, kinds="vcs")
    assert refused is None and "hash-mismatch" in why, why


def test_what_is_no_commit_there(place):
    refused, why = place.build(place.vcs(**{"commit-id": "0" * 40}), kinds="vcs")
    assert refused is None and "url-unavailable" in why, why
    refused, why = place.build(place.vcs(**{"commit-id": "main"}), kinds="vcs")
    assert refused is None and "lock-invalid" in why, why
    refused, why = place.build(place.vcs(), kinds="vcs", CUVETTE_TRUSTED_ORIGINS="")
    assert refused is None and "address-refused" in why, why


def test_archive_with_a_subdirectory(place):
    refused, why = place.build(place.packed(), kinds="vcs")
    assert refused is None and "`archive`" in why and "/x/packed.tar.gz" not in [path for path, _ in place.files.seen], why
    digest, why = place.build(place.packed(), kinds="archive")
    assert digest, why
    lock = place.lock_of(digest)
    [package] = tomllib.loads(lock)["packages"]
    assert (package["version"], package["archive"]["subdirectory"]) == ("2.0", "sub")
    assert place.build(lock)[0] == digest
    for text, code in ((place.packed("none"), "build-failed"), (place.packed("../sub"), "lock-invalid"),
                       (place.packed(digest="0" * 64), "hash-mismatch")):
        refused, why = place.build(text, kinds="archive")
        assert refused is None and code in why, why


def test_root_of_an_archive_that_says_what_it_comes_to(place):
    """A wheel's name beside it is no leave to fetch it; what was built of it is found."""
    def flat(name):
        path = f"/x/{name}.tar.gz"
        archive = place.files.files[path] = tar_of({f"top/{file}": text for file, text in project(f"cuv_{name}").items()})
        return (HEAD + f'[[packages]]\nname = "cuv-{name}"\narchive = {{ url = "{place.files.site}{path}", '
                f'{hashed(archive)} }}\n[packages.tool.cuvette]\n'
                'as-of = 2024-09-01T00:00:00Z\n')

    def post(lock, name, digest):
        lock += f'wheel = {{ name = "cuv_{name}-1.0-py3-none-any.whl", hashes = {{ sha256 = "{digest}" }} }}\n'
        return service.post([("code", ("main.py", b"print(1)\n")), ("lock", ("pylock.toml", lock.encode()))],
                            {"lint": "off"})

    known = flat("flat")
    digest, why = place.build(known, kinds="archive")
    assert digest, why
    [package] = tomllib.loads(place.lock_of(digest))["packages"]
    asked = len(place.files.seen)
    with Service(place.state, UV_DEFAULT_INDEX=place.files.index, NETRC="/dev/null",
                 CUVETTE_TRUSTED_ORIGINS=place.files.site) as service:
        refused = post(flat("never"), "never", "0" * 64)
        assert refused.status_code == 422 and refused.json()["error"]["code"] == "lock-unsupported", refused.text
        assert "CUVETTE_LOCK_KINDS" in refused.json()["error"]["message"]
        found = post(known, "flat", package["tool"]["cuvette"]["wheel"]["hashes"]["sha256"])
        assert found.status_code == 200 and found.json()["environment"]["digest"] == digest, found.text
    assert len(place.files.seen) == asked


def test_kinds_that_no_setting_allows(place):
    for kinds, word in (("directory", "directory"), ("vcs directory", "directory"), ("sdist", "sdist")):
        for words in (("env", "list"), ("serve", "--listen", "127.0.0.1:0")):
            done = place.cuvette(*words, kinds=kinds)
            assert done.returncode != 0 and f"`{word}" in done.stderr and "vcs, archive and path" in done.stderr, done
