# SPDX-License-Identifier: MIT
"""Commits of git repositories (tests/helpers/getgit.c) from git's own server on the
loopback, and from ones that lie."""
import hashlib
import json
import os
import pathlib
import subprocess
import tarfile
import threading
import time

import pytest
from helpers import BUILD
from repositories import GitServer, Repository, git, usable

GETGIT = BUILD / "tests" / "helpers" / "getgit"
SECRET = "s3cret-of-the-operator"
DROPPED = ("UV_", "PIP_", "NETRC", "CUVETTE_", "http_", "https_", "HTTP_", "HTTPS_", "all_proxy", "no_proxy", "GIT_")

pytestmark = pytest.mark.skipif(not usable(), reason="git's HTTP server is missing")


@pytest.fixture
def served(tmp_path):
    tmp_path.chmod(0o755)
    repository = Repository(tmp_path / "served" / "project")
    with GitServer(tmp_path / "served") as server:
        server.repository, server.url = repository, f"{server.site}/project/.git"
        yield server


def get(folder, url, *words, env=None):
    work = pathlib.Path(folder) / "work"
    work.mkdir(exist_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    rights = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
    done = subprocess.run([*rights, str(GETGIT), str(work), url, *words], capture_output=True, text=True, timeout=250,
                          env={**clean, "HOME": str(folder), **(env or {})}, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert SECRET not in done.stdout + done.stderr
    return json.loads(done.stdout)


def source(folder, server, *words):
    answer = get(folder, server.url, *words, env={"CUVETTE_TRUSTED_ORIGINS": server.site})
    assert "failure" not in answer, answer
    with open(answer["path"], "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == answer["sha256"]
    return answer


def failure(folder, server, *words, url=None):
    answer = get(folder, url or server.url, *words, env={"CUVETTE_TRUSTED_ORIGINS": server.site})
    assert "failure" in answer, answer
    assert "127.0.0.1" not in answer["failure"]["message"]
    return answer["failure"]


def entries(answer):
    with tarfile.open(answer["path"]) as archive:
        return {member.name: (member.mode, member.linkname or (archive.extractfile(member).read() if member.isfile() else None))
                for member in archive}


FILES = {"pyproject.toml": "[project]\n", "src/über.py": "x = 1\n", "bin/run": "#!/bin/sh\n", "a/b/c.txt": b"\0\xff"}


def test_a_commit_as_an_archive(served, tmp_path):
    (served.repository.folder / "bin").mkdir()
    (served.repository.folder / "bin/link").symlink_to("../src/über.py")
    served.repository.commit(FILES)
    (served.repository.folder / "bin/run").chmod(0o755)
    commit = served.repository.commit({})
    answer = source(tmp_path, served)
    assert answer["commit"] == commit
    assert entries(answer) == {
        "source": (0o755, None), "source/a": (0o755, None), "source/a/b": (0o755, None), "source/bin": (0o755, None),
        "source/src": (0o755, None), "source/a/b/c.txt": (0o644, b"\0\xff"), "source/bin/run": (0o755, b"#!/bin/sh\n"),
        "source/bin/link": (0o777, "../src/über.py"), "source/pyproject.toml": (0o644, b"[project]\n"),
        "source/src/über.py": (0o644, b"x = 1\n")}
    with tarfile.open(answer["path"]) as archive:
        assert {(m.uid, m.gid, m.uname, m.mtime) for m in archive} == {(0, 0, "", 1)}


def test_refs(served, tmp_path):
    first = served.repository.commit({"f": "1"})
    folder = served.repository.folder
    git(folder, "tag", "light")
    git(folder, "tag", "-a", "-m", "t", "annotated")
    git(folder, "tag", "both")
    second = served.repository.commit({"f": "2"})
    git(folder, "branch", "both")
    git(folder, "branch", "some/thing")
    third = served.repository.commit({"f": "3"})
    wanted = {"": third, "main": third, "light": first, "annotated": first, "both": second, "some/thing": second,
              "refs/tags/both": first, third: third}
    assert {ref: source(tmp_path, served, ref)["commit"] for ref in wanted} == wanted


def test_same_commit_same_bytes(served, tmp_path):
    commit = served.repository.commit(FILES)
    first = source(tmp_path, served, "main")
    served.repository.commit({"more": "of it"})
    served.config = [("uploadpack.allowReachableSHA1InWant", "true")]
    again = source(tmp_path, served, commit)
    assert (first["sha256"], first["commit"]) == (again["sha256"], again["commit"])


def test_history_is_left_out(served, tmp_path):
    for n in range(3):
        served.repository.commit({"large": os.urandom(200_000), "n": str(n)})
    source(tmp_path, served)
    packs = list((tmp_path / "work/git").glob("pack-*.pack"))
    assert len(packs) == 1 and 200_000 < packs[0].stat().st_size < 300_000


def test_commit_that_no_branch_is_at(served, tmp_path):
    first = served.repository.commit({"f": "1"})
    served.repository.commit({"f": "2"})
    said = failure(tmp_path, served, first)
    assert said["code"] == "url-unavailable" and "branch or tag" in said["message"]
    served.config = [("uploadpack.allowReachableSHA1InWant", "true")]
    assert source(tmp_path, served, first)["commit"] == first
    assert failure(tmp_path, served, "0" * 40)["code"] == "url-unavailable"


def test_refs_that_are_not_there(served, tmp_path):
    assert "no commits" in failure(tmp_path, served)["message"]
    commit = served.repository.commit({"f": "1"})
    assert "`nowhere`" in failure(tmp_path, served, "nowhere")["message"]
    assert "40 digits" in failure(tmp_path, served, commit[:10])["message"]
    assert failure(tmp_path, served, url=f"{served.site}/none/.git")["code"] == "url-unavailable"
    blob = served.repository.blob(b"no commit")
    git(served.repository.folder, "tag", "a-blob", blob)
    assert failure(tmp_path, served, "a-blob")["code"] == "build-failed"


def test_subdirectory(served, tmp_path):
    served.repository.commit({"packages/one/pyproject.toml": "", "file": "x"})
    assert set(entries(source(tmp_path, served, "", "packages/one"))) == {"source", "source/pyproject.toml"}
    for wrong in ["packages/two", "file", "packages/on"]:
        said = failure(tmp_path, served, "", wrong)
        assert said["code"] == "build-failed" and "subdirectory" in said["message"]


def test_submodules_are_left_out(served, tmp_path):
    served.repository.commit({"f": "1"})
    folder = served.repository.folder
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    (folder / ".gitmodules").write_text(f"[submodule \"module\"]\n\tpath = module\n\turl = {served.site}/other/.git\n")
    git(folder, "add", ".gitmodules")
    git(folder, "commit", "-q", "-m", "module")
    assert entries(source(tmp_path, served))["source/module"] == (0o755, None)
    assert not any("other" in path for _, path, _ in served.seen)


def test_links_that_lead_out(served, tmp_path):
    for target in ["/etc/passwd", "../outside", "a/../../outside"]:
        link = served.repository.folder / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        served.repository.commit({})
        assert "symbolic link" in failure(tmp_path, served)["message"]


@pytest.mark.parametrize("name", [b"..", b".", b".git", b".GIT", b"a/b", b"a\\b", b"\xff\xfe"])
def test_names_that_no_file_should_have(served, tmp_path, name):
    served.repository.commit({"f": "1"})
    served.repository.raw_tree([("100644", name, served.repository.blob(b"x"))])
    assert failure(tmp_path, served, "odd")["code"] == "build-failed"


def test_a_file_that_is_too_large(served, tmp_path):
    """Well compressed: it is small on its way."""
    served.repository.commit({"zeros": b"\0" * (65 << 20)})
    begun = time.monotonic()
    assert failure(tmp_path, served)["code"] == "environment-too-large"
    assert time.monotonic() - begun < 60


def test_packs_that_lie(served, tmp_path):
    served.repository.commit({"f": os.urandom(5000)})
    answers = []

    def before(handler):
        if handler.command != "POST":
            return False
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(answers[0])
        return True

    served.before = before
    for answer, code in [(b"", "url-unavailable"), (b"0008NAK\n", "url-unavailable"), (b"hello", "url-unavailable"),
                         (b"0008NAK\nPACK", "build-failed"), (b"0008NAK\nPACK\0\0\0\2\xff\xff\xff\xff" + b"x" * 100, "build-failed"),
                         (b"0011ERR go away\n\n", "url-unavailable")]:
        answers[:] = [answer]
        assert failure(tmp_path, served)["code"] == code, answer


def test_private_addresses_are_refused(served, tmp_path):
    served.repository.commit({"f": "1"})
    for url in [served.url, f"http://localhost:{served.port}/project/.git", "https://[::1]/x", "https://10.0.0.1/x"]:
        assert get(tmp_path, url)["failure"]["code"] == "address-refused"
    assert served.seen == []
    for url in [f"file://{served.repository.folder}", "ssh://git@127.0.0.1/x", "git://127.0.0.1/x", "/etc"]:
        assert get(tmp_path, url)["failure"]["code"] == "address-refused"


def test_redirects(served, tmp_path):
    served.repository.commit({"f": "1"})

    def before(handler):
        if not handler.path.startswith("/moved"):
            return False
        handler.send_response(301)
        handler.send_header("Location", target + handler.path.removeprefix("/moved"))
        handler.end_headers()
        return True

    served.before, target = before, served.url
    assert "failure" not in get(tmp_path, f"{served.site}/moved", env={"CUVETTE_TRUSTED_ORIGINS": served.site})
    with GitServer(tmp_path / "served") as inner:
        target = f"{inner.site}/project/.git"
        assert failure(tmp_path, served, url=f"{served.site}/moved")["code"] == "address-refused"
        assert inner.seen == []


def test_no_credentials(served, tmp_path):
    served.repository.commit({"f": "1"})
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login who password {SECRET}\n")
    env = {"CUVETTE_TRUSTED_ORIGINS": served.site, "NETRC": str(netrc), "UV_INDEX_URL": f"http://who:{SECRET}@{served.site[7:]}/"}
    assert "failure" not in get(tmp_path, served.url, env=env)
    assert all("Authorization" not in headers for _, _, headers in served.seen) and len(served.seen) == 2


def test_slow_server_meets_the_deadline(served, tmp_path):
    served.repository.commit({"f": "1"})
    gone = threading.Event()
    served.before = lambda handler: gone.wait(200)
    begun = time.monotonic()
    assert failure(tmp_path, served, "", "", "500")["code"] == "build-timeout"
    gone.set()
    assert time.monotonic() - begun < 60
