# SPDX-License-Identifier: MIT
# tests/run: seconds=300
"""Requirements that name a git repository: fetched, built in a box of a real launcher,
resolved with, and kept in the lock by their commit."""
import json

import pytest
from helpers import BUILD, ask, physical
from repositories import GitServer, Repository, git, usable
from sdists import BACKEND, PLAIN
from served import Server, make_certificate, wheel

LAUNCHER = BUILD / "bin" / "cuvette-launcher"
DATE = ("--exclude-newer", "2024-09-01", "--launcher", str(LAUNCHER))

pytestmark = pytest.mark.skipif(not usable(), reason="git's HTTP server is missing")


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("git")
    certificate = make_certificate(tmp_path_factory.mktemp("tls"))
    with GitServer(folder, tls=certificate) as server:
        server.certificate, server.folder = certificate[0], folder
        yield server


@pytest.fixture
def index():
    with Server() as server:
        yield server


def project(name, version="1.0", code=PLAIN):
    """The files of a project that is its own backend, without build requirements."""
    return {"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
            "backend.py": BACKEND.format(name=name, version=version, code=code), "README": "x"}


def answer_of(state, index, host, text, *options, log=False, **more):
    env = {"UV_DEFAULT_INDEX": index.index, "SSL_CERT_FILE": host.certificate, "NETRC": "/dev/null",
           "CUVETTE_TRUSTED_ORIGINS": host.site, **more}
    found = ask(state, text, *DATE[:2], *(options or DATE[2:]), env=env, log=log)
    return (found[0][0], found[1]) if log else found[0]


def lock_of(state, answer):
    digest = answer["lock_digest"].removeprefix("sha256:")
    packages = json.loads((state / "nix/locks" / f"{digest}.json").read_text())["packages"]
    return {package["name"]: package for package in packages}


def test_package_from_a_repository(state, index, host):
    code = "def build_wheel(folder, config=None, metadata=None):\n    return wheel(folder, requires=['cuv-lib>=1'])\n"
    repository = Repository(host.folder / "one")
    repository.commit(project("cuv_git", code=code))
    git(repository.folder, "tag", "v1")
    commit = git(repository.folder, "rev-parse", "HEAD")
    repository.commit({"later": "on"})
    index.add(wheel("cuv-lib"))
    url = f"{host.site}/one/.git"
    answer, log = answer_of(state, index, host, f"cuv-git @ git+{url}@v1\n", log=True)
    assert answer.get("packages") == ["cuv-git 1.0", "cuv-lib 1.0"], answer
    package = lock_of(state, answer)["cuv-git"]
    assert package["origin"]["kind"] == "built" and package["origin"]["commit"] == commit
    assert package["origin"]["url"] == url and "url" not in package
    assert '"event":"sdist-built"' in log
    # The commit by its name is the same source: nothing is built again.
    again, log = answer_of(state, index, host, f"cuv-git @ git+{url}@{git(repository.folder, 'rev-parse', 'v1')}\n", log=True)
    if "failure" in again:  # the server gives no commit by its name, which is its right
        assert again["failure"]["code"] == "url-unavailable"
    else:
        assert again["digest"] == answer["digest"] and "sdist-built" not in log


def test_subdirectory(state, index, host):
    repository = Repository(host.folder / "many")
    repository.commit({f"packages/sub/{path}": text for path, text in project("cuv_sub", "2.0").items()})
    answer = answer_of(state, index, host, f"cuv-sub @ git+{host.site}/many/.git#subdirectory=packages/sub\n")
    assert answer.get("packages") == ["cuv-sub 2.0"], answer
    assert lock_of(state, answer)["cuv-sub"]["origin"]["subdirectory"] == "packages/sub"
    [module] = [physical(state, name) / "lib/python3.11/site-packages/cuv_sub.py" for name in answer["closure"]
                if name.endswith("cuv-sub-2.0")]
    assert module.read_text() == "VALUE = 42\n"


def test_failures_have_their_line(state, index, host):
    Repository(host.folder / "other").commit(project("cuv_other"))
    url = f"git+{host.site}/other/.git"
    cases = {
        f"a @ {url}@nowhere\n": "url-unavailable",
        f"a @ {url}\n": "build-failed",
        f"cuv-other @ {url}#subdirectory=none\n": "build-failed",
    }
    for text, code in cases.items():
        failure = answer_of(state, index, host, text)["failure"]
        assert (failure["code"], failure["line"]) == (code, 1), failure
        assert "127.0.0.1" not in failure["message"] + failure["explanation"]
    failure = answer_of(state, index, host, f"cuv-other @ {url}\n", CUVETTE_TRUSTED_ORIGINS="")["failure"]
    assert (failure["code"], failure["line"]) == ("address-refused", 1)


def test_without_builds(state, index, host):
    failure = answer_of(state, index, host, f"cuv-none @ git+{host.site}/none/.git\n", "--quiet")["failure"]
    assert (failure["code"], failure["line"]) == ("wheel-unavailable", 1), failure
