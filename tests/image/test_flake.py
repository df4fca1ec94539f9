# SPDX-License-Identifier: MIT
"""`nix build .#worker-image`: plain where the store has it, one clear line where it can't be made."""
import os
import shutil
import subprocess

from helpers import PINS, ROOT, TOOLS, own_store, physical


def nix(store, *arguments):
    return subprocess.run(["nix", *arguments], cwd=ROOT, env=store.env, capture_output=True, text=True, timeout=280,
                          check=False)


def errors(done):
    """What nix said, without its remark about a checkout with uncommitted changes."""
    return [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("warning: Git tree")]


def test_in_an_empty_store_one_line_names_the_command(tmp_path):
    store = own_store(tmp_path / "state")
    for attribute, command in (("worker-image", "make image"), ("toolchain", "make toolchain"),
                               ("worker-image-python313", "make image PYTHON=3.13"),
                               ("toolchain-python313", "make toolchain PYTHON=3.13"), ("uv", "make store"),
                               ("ruff", "make store")):
        done = nix(store, "build", f".#{attribute}", "--no-link")
        assert done.returncode == 1
        said = errors(done)
        assert len(said) == 1 and said[0].startswith("error:"), said
        assert f"(run: {command})" in said[0], said


def test_where_the_store_has_it_a_plain_build_is_enough(tmp_path):
    store = own_store(tmp_path / "state")
    copy = tmp_path / PINS["path"].partition("-")[2]
    shutil.copytree(physical(PINS["path"]), copy, symlinks=True)
    assert store.as_owner(["nix-store", "--add-fixed", "--recursive", "sha256", str(copy)]).strip() == PINS["path"]
    link = tmp_path / "result"
    done = nix(store, "build", ".#worker-image", "--out-link", str(link))
    assert done.returncode == 0, done.stderr
    assert errors(done) == []
    assert os.readlink(link) == PINS["path"]
    subprocess.run(["chmod", "-R", "u+w", tmp_path], check=True)


def test_the_lock_file_is_whole_and_the_outputs_are_as_documented(tmp_path):
    store = own_store(tmp_path / "state")
    before = (ROOT / "flake.lock").read_bytes()
    done = nix(store, "flake", "show", "--json", "--no-update-lock-file")
    assert done.returncode == 0, done.stderr
    for name in ("worker-image", "worker-image-python311", "worker-image-python313", "toolchain", "toolchain-python313",
                 "zygote", "zygote-python313", *TOOLS):
        assert f'"{name}"' in done.stdout
    assert "aarch64" not in done.stdout
    assert (ROOT / "flake.lock").read_bytes() == before


def test_other_architectures_are_refused_by_name(tmp_path):
    store = own_store(tmp_path / "state")
    done = nix(store, "build", ".#worker-image", "--no-link", "--option", "system", "aarch64-linux")
    assert done.returncode == 1
    assert "aarch64-linux" in done.stderr


def test_nothing_of_nixpkgs_is_named():
    assert "nixpkgs" not in (ROOT / "flake.lock").read_text()
