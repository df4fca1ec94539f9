# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""A second Python: asked for by `python`, with an image, a zygote and wheels of its own."""
import os

import client
from client import DATE

NUMPY = "numpy==2.3.4\n"
CODE = """import sys, ssl, sqlite3, ctypes, zlib, lzma, bz2
import numpy
print("%d.%d.%d" % sys.version_info[:3], numpy.arange(5).sum(), ctypes.sizeof(ctypes.c_long))
print(zlib.decompress(zlib.compress(b"z")), lzma.decompress(lzma.compress(b"l")), bz2.decompress(bz2.compress(b"b")))
print(sqlite3.connect(":memory:").execute("select 1 + 1").fetchone(), ssl.OPENSSL_VERSION.split()[0])
"""
SAID = """3.13.5 10 8
b'z' b'l' b'b'
(2,) OpenSSL
"""
IMAGE = "/nix/store/9qv2pjk1hrgh9cbxwl8hn8b9kk9wcbsi-worker-image-python313"
# Of this lock, on this image, by this installer: the same everywhere and always.
DIGEST = "0gz0xj974gsafix6xhvif5gkpb0gl5ca"


def test_a_program_runs_in_it_with_its_packages(service):
    answer = service.answer(CODE, NUMPY, python="3.13", exclude_newer="2026-11-01")
    assert (answer["stdout"], answer["stderr"]) == (SAID, "")
    assert answer["environment"]["python"] == "3.13.5"
    assert answer["environment"]["digest"] == DIGEST
    assert answer["image"]["store_path"] == IMAGE
    assert answer["environment"]["packages"] == [{"name": "numpy", "version": "2.3.4"}]


def test_the_default_is_the_first_one_and_stays_what_it_was(service):
    code = "import sys; print(sys.version_info[:2])\n"
    asked = service.answer(code, "idna==3.6\n", python="3.11", exclude_newer=DATE)
    default = service.answer(code, "idna==3.6\n", exclude_newer=DATE)
    other = service.answer(code, "idna==3.6\n", python="3.13.5", exclude_newer=DATE)
    assert asked["stdout"] == default["stdout"] == "(3, 11)\n" and other["stdout"] == "(3, 13)\n"
    assert asked["environment"]["digest"] == default["environment"]["digest"] != other["environment"]["digest"]
    assert asked["image"] == default["image"] != other["image"]


def test_its_runs_are_forked_from_its_own_zygote(service):
    code = "import os, sys; print(sys.version_info[:2], os.readlink('/proc/self/exe').rpartition('/')[2])\n"

    def run():
        return service.answer(code, "idna==3.6\n", python="3.13", exclude_newer=DATE)

    client.wait_until(lambda: run()["path"] in ("zygote", "pool"), 60, "a zygote of 3.13")
    assert run()["stdout"].startswith("(3, 13) ")


@client.one_good_of(3)
def test_code_is_linted_for_its_python(service):
    code = "type Pair = tuple[int, int]\nprint(Pair.__name__)\n"
    new, old = (service.answer(code, python=python) for python in ("3.13", "3.11"))
    assert new["stdout"] == "Pair\n" and not [w for w in new["lint_warnings"] if w["code"] == "invalid-syntax"]
    assert old["status"] == "error" and [w for w in old["lint_warnings"] if w["code"] == "invalid-syntax"]


def test_one_that_there_is_not_is_refused_with_what_there_is(service):
    response = service.run("pass\n", python="3.12")
    assert response.status_code == 422
    error = response.json()["error"]
    assert error["code"] == "field-invalid"
    assert error["message"] == "the field `python` asks for Python 3.12; there are 3.11.2 and 3.13.5"


def test_one_that_the_store_lacks_is_refused_with_the_command_that_makes_it():
    with client.fresh_state() as state:
        os.unlink(state / "nix/nix/var/nix/gcroots/cuvette/worker-image-python313")
        with client.Service(state) as service:
            response = service.run("pass\n", python="3.13")
            assert response.status_code == 503
            assert response.json()["error"]["message"] == ("the store lacks the image of Python 3.13 "
                                                           "(run: make store PYTHON=3.13)")
            assert service.answer("print(1)\n")["stdout"] == "1\n"


def test_health_tells_of_both(service):
    store = service.get("/health").json()["components"]["store"]
    assert store["python"] == "3.11.2"
    assert [p["python"] for p in store["pythons"]] == ["3.11.2", "3.13.5"]
    assert store["pythons"][0]["image"] == store["image"] and store["pythons"][1]["image"] == IMAGE
    assert store["pythons"][1]["zygote"].endswith("-cuvette-zygote-python313")
