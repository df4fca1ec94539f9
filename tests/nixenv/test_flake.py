# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""A stock `nix build` of an answer's lock gives the environment's store path, with
none of our programs."""
import json
import os
import shutil
import subprocess
import sys

import pytest

from helpers import ROOT, clean_state, environment_of, nix, nix_env, owner, physical, suite_state

sys.path.insert(0, str(ROOT / "tools"))

import image_nix  # noqa: E402


def build(state, flake, lock):
    """The store path that Nix builds of a lock's file."""
    # The answer's lock alone has no addresses; as the service keeps it, it has.
    expression = f'(builtins.getFlake "path:{flake}").lib.environment {{ lock = {lock}; }}'
    [built] = json.loads(nix(state, "nix", "build", "--impure", "--no-link", "--json", "--expr", expression))
    return built["outputs"]["out"]


def certificates():
    """How Nix's own downloads know the machine's certificates."""
    file = os.environ.get("NIX_SSL_CERT_FILE") or os.environ.get("SSL_CERT_FILE")
    return {"NIX_SSL_CERT_FILE": file} if file else {}


def staged(state, answer):
    """A folder for the store's owner with the flake and the lock."""
    folder = state / "flake"
    shutil.rmtree(folder, ignore_errors=True)
    image_nix.stage_flake(str(folder))
    digest = answer["lock_digest"].removeprefix("sha256:")
    shutil.copy(suite_state() / f"nix/locks/{digest}.json", folder / "lock.json")
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    return folder


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_same_store_path(python):
    answer = environment_of(suite_state(), "requests==2.31.0\n", "--python", python)
    folder = staged(suite_state(), answer)
    assert build(suite_state(), folder, folder / "lock.json") == "/nix/store/" + answer["env"]


def test_from_nothing_but_the_lock(monkeypatch):
    """In a store that never saw the environment: Nix fetches the wheels and builds."""
    answer = environment_of(suite_state(), "idna==3.4\n")
    with clean_state() as state:
        conf = state / "nix/recipes"
        conf.mkdir()
        shutil.copy(ROOT / "worker-image/image/nix.conf", conf)
        conf.chmod(0o755)
        (state / "nix/home").mkdir(exist_ok=True)
        os.chown(state / "nix/home", owner(state), -1)
        monkeypatch.setattr("helpers.nix_env", lambda s: {**nix_env(s), **certificates()})
        folder = staged(state, answer)
        assert build(state, folder, folder / "lock.json") == "/nix/store/" + answer["env"]
        made = nix(state, "nix-store", "--query", "--hash", "/nix/store/" + answer["env"])
        assert made == nix(suite_state(), "nix-store", "--query", "--hash", "/nix/store/" + answer["env"])
        assert (physical(state, answer["env"]) / "cuvette.json").exists()
