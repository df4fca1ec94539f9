# SPDX-License-Identifier: MIT
"""The pins: their form, that Nix agrees with their paths, and that the store holds what they say."""
import json
import os
import re
import subprocess

import pytest

from helpers import (BUILD, CONF, IMAGES, PYTHONS, ROOT, TOOLCHAINS, TOOLS, UNPACK, image_common, own_store, physical,
                     state, suite_store)

HEX = re.compile(r"[0-9a-f]{64}")
PINNED = [*IMAGES.values(), *TOOLCHAINS.values()]
FILES = [f"{pins['image']}.json" for pins in PINNED] + ["tools.json"]
PATH = re.compile(r"pool/main/[a-z0-9+./_~-]+\.deb")


def check_image(pins):
    assert list(pins) == ["image", "suite", "python", "sha256", "path", "debs"]
    assert HEX.fullmatch(pins["sha256"])
    names = [deb["package"] for deb in pins["debs"]]
    assert names == sorted(set(names)) and len(names) > 20
    for deb in pins["debs"]:
        assert list(deb) == ["package", "version", "architecture", "sha256", "size", "path"]
        assert HEX.fullmatch(deb["sha256"])
        assert deb["architecture"] in ("amd64", "all")
        assert isinstance(deb["size"], int) and deb["size"] > 0
        assert PATH.fullmatch(deb["path"], ) or "%" in deb["path"], deb["path"]


def check_tools(pins):
    assert [tool["name"] for tool in pins["tools"]] == ["ruff", "uv"]
    for tool in pins["tools"]:
        assert list(tool) == ["name", "version", "sha256", "path", "wheel"]
        assert list(tool["wheel"]) == ["file", "sha256", "size"]
        assert HEX.fullmatch(tool["sha256"]) and HEX.fullmatch(tool["wheel"]["sha256"])
        assert tool["wheel"]["file"].startswith(f"{tool['name']}-{tool['version']}-")


def no_host(text):
    assert "://" not in text and "http" not in text
    for uri in image_common.mirrors():
        host = uri.split("://", 1)[-1].split("/", 1)[0]
        assert host not in text


def test_the_committed_pins_have_their_form_and_name_no_host():
    for pins in PINNED:
        check_image(pins)
    check_tools(json.loads((CONF / "tools.json").read_text()))
    for name in FILES:
        no_host((CONF / name).read_text())


def test_the_digests_are_these():
    """Whoever changes one changes the digest of every environment of that Python."""
    assert {python: pins["path"] for python, pins in IMAGES.items()} == {
        "3.11": "/nix/store/js0y910i8nr8zgjvc38kjdjkgc95z9n8-worker-image-python311",
        "3.13": "/nix/store/9qv2pjk1hrgh9cbxwl8hn8b9kk9wcbsi-worker-image-python313"}


def test_each_image_is_in_the_list_and_the_default_is_first():
    assert json.loads((CONF / "pythons.json").read_text()) == list(PYTHONS.values()) == ["python311", "python313"]
    assert list(PYTHONS) == ["3.11", "3.13"]
    for python, image in PYTHONS.items():
        assert IMAGES[python]["image"] == image == "python" + python.replace(".", "")
        assert IMAGES[python]["suite"] == TOOLCHAINS[python]["suite"]


def every_output():
    for pins in PINNED:
        yield image_common.image_name(pins), pins["sha256"], pins["path"]
    for tool in TOOLS.values():
        yield f"{tool['name']}-{tool['version']}", tool["sha256"], tool["path"]


def test_our_store_paths_are_the_recorded_ones():
    for name, sha256, path in every_output():
        assert image_common.folder_path(name, sha256) == path


def test_nix_computes_the_same_store_paths(tmp_path):
    store = own_store(tmp_path / "state")
    for name, sha256, path in every_output():
        assert store.as_owner(["nix-store", "--print-fixed-path", "--recursive", "sha256", sha256, name]).strip() == path
    # A process for each: of each list a few.
    for deb in (deb for pins in PINNED for deb in pins["debs"][::6]):
        name = image_common.deb_name(deb)
        assert (store.as_owner(["nix-store", "--print-fixed-path", "sha256", deb["sha256"], name]).strip()
                == image_common.file_path(name, deb["sha256"]))


def test_the_flake_gives_the_pinned_paths(tmp_path):
    store = own_store(tmp_path / "state")
    for attribute, path in [("worker-image", IMAGES["3.11"]["path"])] + [
            (image_common.image_name(pins), pins["path"]) for pins in PINNED] + [
            (tool["name"], tool["path"]) for tool in TOOLS.values()]:
        found = subprocess.run(["nix", "eval", "--raw", f".#{attribute}.outPath"], cwd=ROOT, env=store.env, check=True,
                               capture_output=True, text=True, timeout=250)
        assert found.stdout == path


@pytest.mark.parametrize("name,sha256,path", list(every_output()), ids=lambda value: None)
def test_the_store_holds_exactly_what_is_pinned(name, sha256, path):
    if name.startswith("toolchain"):
        subprocess.run([ROOT / "tools/image-store", state(), "--only", name], check=True, stdout=subprocess.DEVNULL)
    store = suite_store()
    assert store.as_owner(["nix-hash", "--type", "sha256", str(physical(path))]).strip() == sha256
    store.as_owner(["nix-store", "--verify-path", path])
    assert store.as_owner(["nix-store", "-q", "--references", path]).strip() == ""


def test_the_pinned_tools_run():
    for tool in TOOLS.values():
        program = physical(tool["path"]) / "bin" / tool["name"]
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=250, check=True).stdout
        assert said.split()[:2] == [tool["name"], tool["version"]]
        assert (physical(tool["path"]) / "share" / "licenses" / tool["name"]).is_dir()


def test_update_pins_makes_pins_of_the_same_form(tmp_path):
    done = subprocess.run([ROOT / "tools/image-update-pins", "--unpacker", UNPACK, "--to", tmp_path, *FILES],
                          capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    for old in PINNED:
        new = json.loads((tmp_path / f"{old['image']}.json").read_text())
        check_image(new)
        assert [deb["package"] for deb in new["debs"]] == [deb["package"] for deb in old["debs"]]
        assert image_common.folder_path(image_common.image_name(old), new["sha256"]) == new["path"]
        # Nothing moved on in the suite: then the image is the same, too, built outside Nix.
        assert new == old or new["debs"] != old["debs"]
    check_tools(json.loads((tmp_path / "tools.json").read_text()))
    for name in FILES:
        no_host((tmp_path / name).read_text())
    # The same tool versions are the same wheels, whatever day it is.
    assert (tmp_path / "tools.json").read_text() == (CONF / "tools.json").read_text()


def test_sources_name_no_machine():
    assert os.fspath(BUILD) not in (CONF / "rootfs.nix").read_text()
