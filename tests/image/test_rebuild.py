# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""The image is the same whoever compiled its builder, and Nix refuses it when it is not."""
import json
import shutil

import pytest

from helpers import (PINS, ROOT, TOOLS, compile_unpacker, debs, image_common, image_nix, own_store, physical)

HOST_MIRROR = ["http://127.0.0.1:9/debian"]  # nobody: every input is in the store already


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    return debs(tmp_path_factory.mktemp("debs"))


@pytest.fixture(scope="module")
def unpackers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpackers")
    return {"gcc -O2": compile_unpacker(folder / "gcc", "gcc", "-O2"),
            "clang -O0": compile_unpacker(folder / "clang", "clang", "-O0")}


def stage(folder, unpacker):
    image_nix.stage_flake(str(folder / "flake"))
    image_nix.write_host(str(folder / "host"), str(unpacker), HOST_MIRROR)
    return folder / "flake"


def build(store, folder, attribute, link):
    return store.build(str(folder / "flake"), attribute, str(folder / "host"), link)


def test_the_unpackers_differ(unpackers):
    one, other = (path.read_bytes() for path in unpackers.values())
    assert one != other


@pytest.mark.parametrize("compiler", ["gcc -O2", "clang -O0"])
def test_each_builds_the_pinned_image_in_an_empty_store(compiler, unpackers, packages, tmp_path):
    store = own_store(tmp_path / "state")
    store.add_files(packages)
    stage(tmp_path, unpackers[compiler])
    path = build(store, tmp_path, "worker-image", "image")
    assert path == PINS["path"]
    made = image_common.physical(str(tmp_path / "state"), path)
    assert store.as_owner(["nix-hash", "--type", "sha256", made]).strip() == PINS["sha256"]
    image_nix_remove(store, tmp_path)


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_a_tool_is_built_from_its_wheel_alone(name, unpackers, tmp_path):
    wheel = TOOLS[name]["wheel"]
    kept = physical(image_common.file_path(wheel["file"], wheel["sha256"]))
    assert kept.is_file()
    shutil.copyfile(kept, tmp_path / wheel["file"])
    store = own_store(tmp_path / "state")
    store.add_files([str(tmp_path / wheel["file"])])
    stage(tmp_path, unpackers["clang -O0"])
    assert build(store, tmp_path, name, name) == TOOLS[name]["path"]
    image_nix_remove(store, tmp_path)


def test_an_image_that_differs_is_refused(unpackers, packages, tmp_path):
    """The same pinned hash, one package less: what a wrong unpacker would do."""
    store = own_store(tmp_path / "state")
    store.add_files(packages)
    flake = stage(tmp_path, unpackers["gcc -O2"])
    file = flake / "worker-image/image/python311.json"
    pins = json.loads(file.read_text())
    pins["debs"] = [deb for deb in pins["debs"] if deb["package"] != "media-types"]
    file.write_text(json.dumps(pins))
    with pytest.raises(image_common.Failure, match="hash mismatch"):
        build(store, tmp_path, "worker-image", "image")
    assert not (store_folder(tmp_path) / PINS["path"].rpartition("/")[2]).exists()
    image_nix_remove(store, tmp_path)


def test_a_package_with_other_bytes_is_no_input(unpackers, packages, tmp_path):
    """One flipped byte: the file gets another store path, so the pinned one stays missing."""
    store = own_store(tmp_path / "state")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for package in packages:
        shutil.copy(package, damaged)
    victim = next(damaged.glob("tzdata-*"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    store.add_files(sorted(str(path) for path in damaged.iterdir()))
    stage(tmp_path, unpackers["gcc -O2"])
    with pytest.raises(image_common.Failure, match="tzdata"):
        build(store, tmp_path, "worker-image", "image")
    image_nix_remove(store, tmp_path)


def store_folder(tmp_path):
    return tmp_path / "state" / "nix" / "nix" / "store"


def image_nix_remove(store, tmp_path):
    """Store paths are read-only; an ordinary user has to undo that before removing them."""
    store.as_owner(["chmod", "-R", "u+w", str(tmp_path / "state")])
    shutil.rmtree(tmp_path / "state")


def test_this_is_the_checkout():
    assert (ROOT / "flake.nix").is_file()
