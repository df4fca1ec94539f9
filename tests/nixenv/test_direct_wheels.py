# SPDX-License-Identifier: MIT
# tests/run: seconds=300
"""Wheels at addresses that a user names: fetched by the rules for strangers' addresses,
pinned by their hash, and given to the resolver without any address."""
import hashlib
import json

import pytest
from helpers import ask, nix, physical
from served import Server, make_certificate, wheel

DATE = ("--exclude-newer", "2024-09-01")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def index():
    with Server() as server:
        yield server


@pytest.fixture
def host(certificate):
    with Server(tls=certificate) as server:
        server.certificate = certificate[0]
        yield server


def settings(index, host, **more):
    return {"UV_DEFAULT_INDEX": index.index, "SSL_CERT_FILE": host.certificate, "NETRC": "/dev/null",
            "CUVETTE_TRUSTED_ORIGINS": host.site, **more}


def answer_of(state, index, host, text, **more):
    [answer] = ask(state, text, *DATE, env=settings(index, host, **more))
    return answer


def failure_of(state, index, host, text, **more):
    answer = answer_of(state, index, host, text, **more)
    assert "failure" in answer, answer
    said = answer["failure"]["message"] + answer["failure"]["explanation"]
    assert "127.0.0.1" not in said and "/direct/" not in said and "://" not in said
    return answer["failure"]


def lock_of(state, answer):
    digest = answer["lock_digest"].removeprefix("sha256:")
    packages = json.loads((state / "nix/locks" / f"{digest}.json").read_text())["packages"]
    return {package["name"]: package for package in packages}


def test_wheel_and_what_it_needs(state, index, host):
    made = wheel("direct-app", requires=["direct-lib>=1"])
    path = host.add(made)
    index.add(wheel("direct-lib"))
    answer = answer_of(state, index, host, f"direct-app @ {host.site}{path}\n")
    assert answer.get("packages") == ["direct-app 1.0", "direct-lib 1.0"], answer
    lock = lock_of(state, answer)
    assert lock["direct-app"]["url"] == host.site + path
    assert lock["direct-app"]["origin"]["kind"] == "url" and "origin" not in lock["direct-lib"]
    assert lock["direct-app"]["sha256"] == hashlib.sha256(made[1]).hexdigest()
    assert len(host.ours(path)) == 1 and len(index.ours("/files/direct_lib-1.0-py3-none-any.whl")) == 1
    site = "lib/python3.11/site-packages/direct_app.py"
    assert (physical(state, answer["env"]) / site).is_symlink()
    nix(state, "nix-store", "--verify", "--check-contents")


def test_listed_hash(state, index, host):
    made = wheel("direct-hashed")
    path = host.add(made)
    good = hashlib.sha256(made[1]).hexdigest()
    assert answer_of(state, index, host, f"direct-hashed @ {host.site}{path} --hash=sha256:{good}\n").get("packages")
    said = failure_of(state, index, host, f"# one\n\ndirect-hashed @ {host.site}{path}#sha256={'0' * 64}\n")
    assert (said["code"], said["line"]) == ("hash-mismatch", 1) and said["excerpt"].startswith("direct-hashed @")
    two = f"--hash=sha256:{'0' * 64} --hash=sha256:{'1' * 64}"
    assert failure_of(state, index, host, f"direct-hashed @ {host.site}{path} {two}\n")["code"] == "hash-mismatch"


def test_private_address_is_refused(state, index, host):
    path = host.add(wheel("direct-inside"))
    said = failure_of(state, index, host, f"direct-inside @ {host.site}{path}\n", CUVETTE_TRUSTED_ORIGINS="")
    assert (said["code"], said["line"]) == ("address-refused", 1) and host.seen == []


def test_redirect_inside_is_refused(state, index, host):
    path = host.add(wheel("direct-astray"))
    with Server() as inner:
        host.behaviours[path] = lambda reply: reply.redirect(f"{inner.site}/secret.whl")
        assert failure_of(state, index, host, f"direct-astray @ {host.site}{path}\n")["code"] == "address-refused"
        assert inner.seen == []


@pytest.mark.parametrize("inside", ["HTTP/x-1.0-py3-none-any.whl", "git+HTTP/x", "file:///etc/x-1.0-py3-none-any.whl"])
def test_metadata_is_no_way_around(state, index, host, inside):
    """The resolver would follow an address in the metadata of what is required directly."""
    with Server() as inner:
        address = inside.replace("HTTP", inner.site)
        path = host.add(wheel("direct-metadata", version=f"1.{len(inside)}", requires=[f"x @ {address}"]))
        said = failure_of(state, index, host, f"direct-metadata @ {host.site}{path}\n")
        assert said["code"] == "requirements-unresolvable" and "metadata" in said["message"], said
        assert inner.seen == []


def test_index_does_not_take_its_place(state, index, host):
    """It has the same version, in a wheel that fits better."""
    made = wheel("direct-both", payload=b"the user's")
    index.add(wheel("direct-both", tag="cp311-cp311-manylinux_2_17_x86_64", payload=b"the index's"))
    answer = answer_of(state, index, host, f"direct-both @ {host.site}{host.add(made)}\n")
    assert lock_of(state, answer)["direct-both"]["sha256"] == hashlib.sha256(made[1]).hexdigest(), answer


def test_wheels_of_other_platforms(state, index, host):
    windows = host.add(wheel("direct-windows", tag="cp311-cp311-win_amd64"))
    path = host.add(wheel("direct-linux"))
    said = failure_of(state, index, host, f"direct-windows @ {host.site}{windows}\n")
    assert (said["code"], said["line"]) == ("wheel-unavailable", 1) and host.seen == []
    text = f"direct-windows @ {host.site}{windows} ; sys_platform == 'win32'\ndirect-linux @ {host.site}{path}\n"
    assert answer_of(state, index, host, text).get("packages") == ["direct-linux 1.0"]
    assert host.ours(windows) == []


def test_what_its_marker_leaves_out_is_not_fetched(state, index, host):
    """Neither a wheel that would fit here, nor a repository; a marker that holds changes nothing."""
    old, path = host.add(wheel("direct-old")), host.add(wheel("direct-new"))
    text = (f"direct-old @ {host.site}{old} ; python_version < '3'\n"
            f"direct-repository @ git+{host.site}/repository ; sys_platform == 'win32'\n"
            f"direct-new @ {host.site}{path} ; python_full_version >= '3.11.1'\n")
    assert answer_of(state, index, host, text).get("packages") == ["direct-new 1.0"]
    assert {seen for seen, _ in host.seen} == {path}
    windows = host.add(wheel("direct-fitting-not", tag="cp311-cp311-win_amd64"))
    said = failure_of(state, index, host, f"direct-fitting-not @ {host.site}{windows} ; python_version > '3'\n")
    assert (said["code"], said["line"]) == ("wheel-unavailable", 1) and host.ours(windows) == []


def test_wheel_of_another_package(state, index, host):
    file, data, metadata = wheel("direct-liar")
    name = file.replace("direct_liar", "direct_named")
    host.files[f"/files/{name}"] = data
    said = failure_of(state, index, host, f"direct-named @ {host.site}/files/{name}\n")
    assert said["code"] in ("requirements-unresolvable", "build-failed"), said


def test_what_is_not_there_or_no_wheel(state, index, host):
    said = failure_of(state, index, host, f"direct-none @ {host.site}/files/direct_none-1.0-py3-none-any.whl\n")
    assert (said["code"], said["line"]) == ("url-unavailable", 1) and "404" in said["message"]
    host.files["/files/direct_junk-1.0-py3-none-any.whl"] = b"this is no archive" * 100
    said = failure_of(state, index, host, f"direct-junk @ {host.site}/files/direct_junk-1.0-py3-none-any.whl\n")
    assert said["code"] == "build-failed" and said["line"] == 1, said
