# SPDX-License-Identifier: MIT
"""What environments cost that are known: one, and many. making.py has those to be made."""

import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import time

import client
from figures import Report, median
from ways import HELPERS


def lookup(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head("An environment that is known: question and answer over the builder's socket")
    service.answer("pass\n", "requests==2.31.0\n", exclude_newer=client.DATE)
    text = folder / "requirements.txt"
    text.write_text("requests==2.31.0\n")
    command = [HELPERS / "envask", "--connect", service.state / "run/builder.sock", "--exclude-newer", client.DATE, "--quiet"]
    subprocess.run([*command, text], check=True, capture_output=True)
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

    owner = os.stat(service.state / "nix").st_uid
    prefix = ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups"] if os.geteuid() == 0 != owner else []
    words = [*prefix, HELPERS / "lookup", service.state, answers[0]["digest"], "2000"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    inside = json.loads(done.stdout)
    report.say()
    report.table(["2000 lookups of a digest, within the process", "median µs", "least µs"],
                 [[where, median(inside[way]), min(inside[way])] for where, way in
                  (("asked for before", "memory"), ("first since the start: link and manifest", "disk"))])
    report.goal("known digest, in process", median(inside["memory"]), 50.0, "µs")


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


def evicted_ms(log: str) -> float:
    """Milliseconds from one eviction to the next, as the builder's log has them."""
    times = [datetime.datetime.fromisoformat(line["time"]) for line in map(json.loads, re.findall(r"^{.*}$", log, re.M))
             if line["event"] == "environment-evicted"]
    return (times[-1] - times[0]).total_seconds() * 1000 / (len(times) - 1)


def asked(state: pathlib.Path, *words) -> tuple[list[dict], float]:
    """What a builder of its own answers, and the seconds until it has ended."""
    answers, seconds, _ = asked_with_log(state, *words)
    return answers, seconds


def asked_with_log(state: pathlib.Path, *words) -> tuple[list[dict], float, str]:
    owner = os.stat(state / "nix").st_uid
    ids = ["--uid", str(owner)] if os.geteuid() == 0 != owner else []
    begun = time.monotonic()
    done = subprocess.run([HELPERS / "envask", "--builder", client.BIN / "cuvette-builder", "--state", state, *ids, "--quiet",
                           "--exclude-newer", client.DATE, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], time.monotonic() - begun, done.stderr


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
            _, collecting = asked(state, "--chore", "gc")
            [gone], evicting, log = asked_with_log(state, "--chore", "gc", "--count", str(answer["count"] - 50))
            assert gone["evicted"] == 50, gone
            rows.append([n, times[0], median(times[1:]), learning, listing, collecting, evicting, evicted_ms(log)])
    finally:
        asked(state, "--chore", "gc", "--count", "0")
    report.table(["environments", "first lookup µs", "then, median µs", "list, all new s", "list s", "collect s",
                  "evict 50, collect s", "each of them ms"], rows)
