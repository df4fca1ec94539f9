# SPDX-License-Identifier: MIT
"""What environments cost: one that is known, and one that has to be made."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import client
from figures import Report, in_turns, median, ratio
from ways import HELPERS

GOALS = {"requests": 1.3, "flask": 1.3, "science": 1.0}
ENVIRONMENTS = {
    "requests": ("requests==2.31.0\n", 5),
    "flask": ("flask==3.0.3\n", 5),
    "science": ("pandas==2.2.2\nscipy==1.14.0\nmatplotlib==3.9.0\nscikit-learn==1.5.1\n", 3),
}
# ext4 leaves the numbers of deleted files alone for five seconds, and searches past
# them: what is created before that pays for what was deleted.
DELETED_S = 6


def lookup(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head("An environment that is known: question and answer over the builder's socket")
    service.answer("pass\n", "requests==2.31.0\n", exclude_newer=client.DATE)
    text = folder / "requirements.txt"
    text.write_text("requests==2.31.0\n")
    command = [HELPERS / "envask", "--connect", service.state / "run/builder.sock", "--exclude-newer", client.DATE, "--quiet"]
    done = subprocess.run([*command, "--repeat", "2000", text], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.returncode} {done.stderr}"
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 2000 and all(a["cached"] for a in answers)
    taken = [float(a["ask_us"]) for a in answers]
    with client.traced(service, "clone,clone3,fork,vfork,execve", folder / "calls"):
        subprocess.run([*command, "--repeat", "100", text], check=True, capture_output=True)
    started = [line for line in (folder / "calls").read_text().splitlines() if "CLONE_THREAD" not in line]
    report.table(["2000 lookups", "median µs", "least µs", "processes started for 100"],
                 [["requests==2.31.0", median(taken), min(taken), len(started)]])
    report.goal("a known environment starts no process", float(len(started)), 0.0, "processes")


def forget(service) -> int:
    """Takes environments and installed wheels out of the store; the wheels themselves,
    the tools, the resolver's cache and the index's answers stay. The service is not running."""
    physical = service.state / "nix/nix/store"
    roots = service.state / "nix/nix/var/nix/gcroots/cuvette"
    kept = {pathlib.Path(os.readlink(link)).name for link in roots.iterdir() if link.is_symlink()}
    for path in roots.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
    gone = [p for p in physical.iterdir() if p.name not in kept and (
        (p / "nix-support/cuvette-environment").exists() or (p / "pyvenv.cfg").exists()
        or (p / "lib/python3.11/site-packages").is_dir())]
    owner = os.stat(physical).st_uid
    environment = {**os.environ, "NIX_REMOTE": str(service.state / "nix"), "HOME": "/var/empty", "USER": "cuvette",
                   "NIX_CONF_DIR": "/var/empty"}
    words = ["nix-store", "--delete", *(f"/nix/store/{p.name}" for p in gone)]
    prefix = ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups"] if os.geteuid() == 0 != owner else []
    subprocess.run([*prefix, *words], env=environment, check=True, capture_output=True)
    return len(gone)


def environment(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head("An environment that is not there yet, wheels and index answers present")
    uv, rows = client.tool("uv"), []
    cache = {**os.environ, "UV_CACHE_DIR": str(folder / "uv-cache"), "UV_LINK_MODE": "copy", "UV_NO_CONFIG": "1"}
    for name, (text, rounds) in ENVIRONMENTS.items():
        wanted = folder / f"{name}.txt"
        wanted.write_text(text)
        service.answer("pass\n", text, exclude_newer=client.DATE)

        def ours() -> float:
            service.stop()
            assert forget(service) > 1, "nothing was taken away"
            time.sleep(DELETED_S)
            service.start()
            service.answer("pass\n")  # the first request of a service is not what is asked
            begun = time.perf_counter()
            answer = service.answer("pass\n", text, exclude_newer=client.DATE)
            whole = (time.perf_counter() - begun) * 1000
            assert not answer["environment"]["cached"]
            return whole - answer["execution_time"] * 1000

        def theirs(*options: str) -> float:
            venv = pathlib.Path(tempfile.mkdtemp(prefix="venv-", dir=folder))
            time.sleep(DELETED_S)
            begun = time.perf_counter()
            subprocess.run([uv, "-q", "venv", "--python", "/usr/bin/python3", venv], env=cache, check=True)
            subprocess.run([uv, "-q", "pip", "install", "--python", venv / "bin/python", *options, "--only-binary", ":all:",
                            "--exclude-newer", client.DATE, "-r", wanted], env=cache, check=True)
            taken = (time.perf_counter() - begun) * 1000
            shutil.rmtree(venv)
            return taken

        taken = in_turns(rounds, {"ours": ours, "compiled": lambda: theirs("--compile-bytecode"), "uv": theirs})
        rows.append([name, median(taken["ours"]), median(taken["compiled"]), ratio(taken["ours"], taken["compiled"]),
                     median(taken["uv"]), ratio(taken["ours"], taken["uv"])])
        report.goal(f"{name}: environment against uv with byte code", rows[-1][3], GOALS[name])
    report.table(["resolve and build", "ours ms", "uv venv + install, bytecode, ms", "ratio", "as by default, ms", "ratio"],
                 rows)


# --- many environments ---

MANY = (100, 1000, 10_000)
LETTERS = "0123456789abcdfghijklmnpqrsvwxyz"  # of Nix's base 32


def fake(state: pathlib.Path, manifest: dict, numbers: range) -> None:
    """Environments as the index sees them: a folder with a manifest, and the two links."""
    roots, owner = state / "nix/nix/var/nix/gcroots/cuvette", os.stat(state / "nix").st_uid
    for number in numbers:
        digest = "".join(LETTERS[byte & 31] for byte in hashlib.sha256(b"%d" % number).digest())
        name = f"{digest}-cuvette-environment"
        place = state / "nix/nix/store" / name
        place.mkdir()
        (place / "cuvette.json").write_text(json.dumps({**manifest, "closure": [name]}))
        for link in (roots / "env" / name, roots / "req" / hashlib.sha256(name.encode()).hexdigest()):
            link.symlink_to(f"/nix/store/{name}")
        for path in (place, place / "cuvette.json"):
            os.chown(path, owner, owner)


def asked(state: pathlib.Path, *words) -> tuple[list[dict], float]:
    """What a builder of its own answers, and the seconds until it has ended."""
    owner = os.stat(state / "nix").st_uid
    ids = ["--uid", str(owner)] if os.geteuid() == 0 != owner else []
    begun = time.monotonic()
    done = subprocess.run([HELPERS / "envask", "--builder", client.BIN / "cuvette-builder", "--state", state, *ids, "--quiet",
                           "--exclude-newer", client.DATE, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], time.monotonic() - begun


def many(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head("Many environments known: each question to a builder of its own")
    state, text, made, rows = service.state, folder / "requirements.txt", 0, []
    text.write_text("six==1.16.0\n")
    [real] = asked(state, text)[0]
    manifest = json.loads((state / "nix/nix/store" / real["env"] / "cuvette.json").read_text())
    try:
        for n in MANY:
            fake(state, manifest, range(made, n))
            made = n
            _, learning = asked(state, "--chore", "list")
            [answer], listing = asked(state, "--chore", "list")
            answers, _ = asked(state, "--repeat", "2000", text)
            times = [float(a["ask_us"]) for a in answers]
            [gone], evicting = asked(state, "--chore", "gc", "--count", str(answer["count"] - 50))
            assert gone["evicted"] == 50, gone
            rows.append([n, times[0], median(times[1:]), learning, listing, evicting])
    finally:
        asked(state, "--chore", "gc", "--count", "0")
    report.table(["environments", "first lookup µs", "then, median µs", "list, all new s", "list s", "evict 50, collect s"], rows)
