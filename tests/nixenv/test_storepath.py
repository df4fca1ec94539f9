# SPDX-License-Identifier: MIT
"""The store paths that nixenv computes in C are those of nix-instantiate, for
random locks, and so are the .drv files. Nix only evaluates here: no store is touched."""
import json
import os
import random
import subprocess

from helpers import BUILD, PINS, RECIPES

LOCKPATH = BUILD / "tests/helpers/lockpath"
LOCKS = 1000

# All locks in one evaluation: an environment's path, and those of its parts.
EXPRESSION = """
{ recipes, image, sha256, locks }:
let
  paths = builtins.fromJSON (builtins.readFile locks);
  one = lock:
    let environment = import (recipes + "/build.nix") { inherit lock image sha256; };
    in { env = environment.outPath; installs = map (p: p.outPath) environment.parts;
         wheels = map (p: p.wheel.outPath) environment.parts;
         derivations = map (p: p.drvPath) (environment.parts ++ [ environment ]); };
in map one paths
"""


def random_name(rng):
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=rng.randint(1, 12)))
             for _ in range(rng.randint(1, 4))]
    return "-".join(words)


def random_version(rng):
    version = ".".join(str(rng.randint(0, 2030)) for _ in range(rng.randint(1, 4)))
    if rng.random() < 0.1:
        version = f"{rng.randint(1, 9)}!{version}"
    if rng.random() < 0.2:
        version += rng.choice(["rc1", "a12", ".post3", ".dev0"])
    if rng.random() < 0.1:
        version += "+cu121.x1"
    return version


def random_package(rng):
    name, version = random_name(rng), random_version(rng)
    build = rng.choice(["", "", "", "-2", "-1local"])
    tag = rng.choice([
        "py3-none-any", "py2.py3-none-any", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp39-abi3-manylinux_2_28_x86_64", "cp311-none-any", "py3-none-manylinux1_x86_64", "cp311-cp311-linux_x86_64",
    ])
    spelling = name.replace("-", rng.choice(["_", "_", "."]))
    if rng.random() < 0.2:
        spelling = spelling.title()
    package = {"name": name, "version": version, "file": f"{spelling}-{version}{build}-{tag}.whl",
               "sha256": f"{rng.getrandbits(256):064x}"}
    if rng.random() < 0.5:
        package["size"] = rng.randint(1, 1 << 20)
    return package


def random_lock(rng):
    n = rng.choice([0, 1, 1, 2, 3, 5, 8, 20] * 12 + [60, 60, 60, 200])
    packages = {p["name"]: p for p in (random_package(rng) for _ in range(n))}
    ordered = [packages[name] for name in sorted(packages)]
    return {"format": 1, "platform": "x86_64-linux", "python": "3.11", "packages": ordered}


def instantiate(folder, files):
    expression = folder / "all.nix"
    expression.write_text(EXPRESSION)
    (folder / "locks.json").write_text(json.dumps([str(f) for f in files]))
    conf = folder / "nix.conf"
    conf.write_text("substituters =\nsandbox = false\n")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "USER": "test", "NIX_CONF_DIR": str(folder),
           "NIX_REMOTE": "dummy://", "NIX_USER_CONF_FILES": "", "NIX_STATE_DIR": str(folder / "state")}
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", str(expression), "--arg", "recipes", str(RECIPES),
         "--argstr", "image", f"worker-image-{PINS['image']}", "--argstr", "sha256", PINS["sha256"],
         "--argstr", "locks", str(folder / "locks.json")],
        capture_output=True, text=True, env=env, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_random_locks(tmp_path):
    seed = int(os.environ.get("CUVETTE_TEST_SEED", random.SystemRandom().getrandbits(32)))
    print("seed", seed)
    rng = random.Random(seed)
    files = []
    for i in range(LOCKS):
        file = tmp_path / f"{i}.json"
        file.write_text(json.dumps(random_lock(rng)))
        files.append(file)
    assert len(files) == LOCKS
    ours = subprocess.run([str(LOCKPATH), *map(str, files)], capture_output=True, text=True, timeout=250, check=False)
    assert ours.returncode == 0, ours.stderr
    ours = [json.loads(line) for line in ours.stdout.splitlines()]
    theirs = instantiate(tmp_path, files)
    assert len(ours) == len(theirs) == LOCKS
    for mine, nix in zip(ours, theirs):
        assert "/nix/store/" + mine["env"] == nix["env"]
        assert ["/nix/store/" + name for name in mine["installs"]] == nix["installs"]
        assert ["/nix/store/" + name for name in mine["wheels"]] == nix["wheels"]
        assert ["/nix/store/" + name for name in mine["derivations"]] == nix["derivations"]
    assert len({mine["env"] for mine in ours}) == len({mine["canonical"] for mine in ours})


def test_address_and_size_do_not_matter(tmp_path):
    package = {"name": "idna", "version": "3.4", "file": "idna-3.4-py3-none-any.whl", "sha256": "90" * 32}
    lock = {"format": 1, "platform": "x86_64-linux", "python": "3.11"}
    (tmp_path / "a.json").write_text(json.dumps({**lock, "packages": [package]}))
    (tmp_path / "b.json").write_text(json.dumps(
        {**lock, "packages": [{**package, "size": 61538, "url": "https://example.invalid/idna.whl"}]}))
    done = subprocess.run([str(LOCKPATH), str(tmp_path / "a.json"), str(tmp_path / "b.json")], capture_output=True,
                          text=True, timeout=250, check=True)
    first, second = done.stdout.splitlines()
    assert first == second
