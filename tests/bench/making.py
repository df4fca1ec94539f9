# SPDX-License-Identifier: MIT
"""What environments cost that have to be made, beside uv, which makes the same ones in turn."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import client
import served
from figures import Report, in_turns, median, ratio
from ways import HELPERS

GOALS = {"requests": 1.3, "flask": 1.3, "science": 1.0}
ENVIRONMENTS = {
    "requests": ("requests==2.31.0\n", "import requests\n", 5),
    "flask": ("flask==3.0.3\n", "import flask\n", 5),
    "science": ("pandas==2.2.2\nscipy==1.14.0\nmatplotlib==3.9.0\nscikit-learn==1.5.1\n",
                "import matplotlib, pandas, scipy, sklearn\n", 3),
}
NOTHING = ("requests", "science")
GOAL_NOTHING, GOAL_FIRST, GOAL_MORE_S = 1.2, 1.1, 0.5
PIECES = [f"piece{i}" for i in range(33)]  # thirty, and three to add
SITE = "lib/python3.11/site-packages"


def manifest(service, digest: str) -> dict:
    return json.loads((service.state / f"nix/nix/store/{digest}-cuvette-environment/cuvette.json").read_text())


def set_aside(path: pathlib.Path) -> None:
    """Out of the way, and its room given back, but not deleted before the whole benchmark ends: ext4 without a
    journal leaves the numbers of deleted files alone for one to six minutes and searches past each of
    them, so that what is created next would pay for what was deleted."""
    aside = pathlib.Path(tempfile.mkdtemp(prefix="aside-")) / "it"
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o755)  # a folder that can't be written to can't be moved
    path.rename(aside)
    for file in (aside, *aside.rglob("*")):
        if not file.is_symlink() and file.is_file() and file.stat().st_nlink == 1:
            os.truncate(file, 0)


def forget(service, *, wheels: bool = False) -> int:
    """Takes environments and installed wheels out of the store; the tools stay, and
    the wheels and what the resolver knows unless they are to go, too. The service is not running."""
    physical = service.state / "nix/nix/store"
    roots = service.state / "nix/nix/var/nix/gcroots/cuvette"
    kept = {pathlib.Path(os.readlink(link)).name for link in roots.iterdir() if link.is_symlink()}
    for path in roots.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
    gone = [p for p in physical.iterdir() if p.name not in kept and (
        (p / "pyvenv.cfg").exists() or (p / SITE).is_dir() or (wheels and p.name.endswith(".whl")))]
    for path in gone:
        set_aside(path)
    if wheels:
        set_aside(service.state / "nix/uv-cache")
    owner = os.stat(physical).st_uid
    environment = {**os.environ, "NIX_REMOTE": str(service.state / "nix"), "HOME": "/var/empty", "USER": "cuvette",
                   "NIX_CONF_DIR": "/var/empty"}
    words = ["nix-store", "--delete", *(f"/nix/store/{p.name}" for p in gone)]
    prefix = ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups"] if os.geteuid() == 0 != owner else []
    subprocess.run([*prefix, *words], env=environment, check=True, capture_output=True)
    return len(gone)


class Ours:
    def __init__(self, service, text: str, code: str, **forgotten):
        self.service, self.text, self.code, self.forgotten = service, text, code, forgotten
        self.answers = []  # milliseconds until the program's first answer

    def __call__(self) -> float:
        """Milliseconds until the environment was there."""
        self.service.stop()
        assert forget(self.service, **self.forgotten) > 1, "nothing was taken away"
        self.service.start()
        self.service.answer("pass\n")  # the first request of a service is not what is asked
        begun = time.perf_counter()
        answer = self.service.answer(self.code, self.text, exclude_newer=client.DATE)
        whole = (time.perf_counter() - begun) * 1000
        assert not answer["environment"]["cached"] and answer["return_code"] == 0, answer
        self.answers.append(whole)
        return whole - answer["execution_time"] * 1000


class Uv:
    """`uv venv`, `uv pip install` and the program, by the uv of the service."""

    def __init__(self, folder: pathlib.Path, name: str, text: str, code: str):
        self.uv, self.folder = client.tool("uv"), folder
        self.wanted, self.main = folder / f"{name}.txt", folder / f"{name}.py"
        self.wanted.write_text(text)
        self.main.write_text(code)
        self.answers = []

    def make(self, *options: str, cache: str = "uv-cache", only=(), run: bool = False) -> float:
        """Milliseconds until the environment was there; of the files in `only`, byte code is
        made by one python for each processor, as uv does it."""
        venv = pathlib.Path(tempfile.mkdtemp(prefix="venv-", dir=self.folder))
        environment = {**os.environ, "UV_CACHE_DIR": str(self.folder / cache), "UV_LINK_MODE": "copy", "UV_NO_CONFIG": "1"}
        begun = time.perf_counter()
        subprocess.run([self.uv, "-q", "venv", "--python", "/usr/bin/python3", venv], env=environment, check=True)
        subprocess.run([self.uv, "-q", "pip", "install", "--python", venv / "bin/python", *options, "--only-binary", ":all:",
                        "--exclude-newer", client.DATE, "-r", self.wanted], env=environment, check=True)
        self._compile(venv, only)
        taken = (time.perf_counter() - begun) * 1000
        if run:
            subprocess.run([venv / "bin/python", self.main], check=True)
            self.answers.append((time.perf_counter() - begun) * 1000)
        set_aside(venv)
        return taken

    @staticmethod
    def _compile(venv: pathlib.Path, files) -> None:
        n = os.cpu_count()
        workers = [subprocess.Popen([venv / "bin/python", "-m", "py_compile", "-"], cwd=venv / SITE, text=True,
                                    stdin=subprocess.PIPE) for _ in range(n if files else 0)]
        for i, worker in enumerate(workers):
            worker.stdin.write("".join(f"{file}\n" for file in files[i::n]))
            worker.stdin.close()
        assert not any([worker.wait() for worker in workers])

    def from_nothing(self) -> float:
        if (self.folder / "uv-nothing").exists():
            set_aside(self.folder / "uv-nothing")
        return self.make("--compile-bytecode", cache="uv-nothing")


def compiled_files(service, digest: str) -> list[str]:
    """What an environment has byte code of, below site-packages; the largest first."""
    found = []
    for part in manifest(service, digest)["closure"][1:]:
        site = service.state / "nix/nix/store" / part / SITE
        for path in site.rglob("__pycache__/*.pyc"):
            source = path.parents[1] / f"{path.name.split('.')[0]}.py"
            found.append((-source.stat().st_size, str(source.relative_to(site))))
    return [file for _, file in sorted(found)]


def rounds_of(length, n: int) -> int:
    return n if length.factor >= 1 else 2


def environment(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head("An environment that is not there yet, wheels and index answers present")
    rows, firsts = [], []
    for name, (text, code, rounds) in ENVIRONMENTS.items():
        known = service.answer(code, text, exclude_newer=client.DATE)
        files = compiled_files(service, known["environment"]["digest"])
        ours, uv = Ours(service, text, code), Uv(folder, name, text, code)
        taken = in_turns(rounds_of(length, rounds), {
            "ours": ours,
            "same": lambda: uv.make(only=files),  # noqa: B023
            "all": lambda: uv.make("--compile-bytecode", run=True),  # noqa: B023
            "none": uv.make,
        })
        rows.append([name, len(files), median(taken["ours"]), *(cell for other in ("same", "all", "none") for cell in
                                                               (median(taken[other]), ratio(taken["ours"], taken[other])))])
        firsts.append([name, median(ours.answers[1:]), median(uv.answers[1:]), ratio(ours.answers[1:], uv.answers[1:])])
        report.goal(f"{name}: environment against uv --compile-bytecode", ratio(taken["ours"], taken["all"]), GOALS[name])
        report.goal(f"{name}: the same, the same files compiled", ratio(taken["ours"], taken["same"]), GOALS[name])
    report.table(["resolve and build", "files compiled", "ours ms", "uv, these compiled, ms", "ratio",
                  "uv --compile-bytecode, ms", "ratio", "uv without byte code, ms", "ratio"], rows)
    report.say()
    report.table(["first answer of a request", "ours ms", "uv --compile-bytecode and python main.py, ms", "ratio"], firsts)
    report.goal("science: first answer against uv and python main.py", firsts[-1][3], GOAL_FIRST)


def nothing(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head("An environment from nothing: index and wheels over the network")
    rows = []
    for name in NOTHING:
        text, code, rounds = ENVIRONMENTS[name]
        service.answer(code, text, exclude_newer=client.DATE)
        uv = Uv(folder, name, text, code)
        taken = in_turns(rounds_of(length, rounds), {"ours": Ours(service, text, code, wheels=True), "uv": uv.from_nothing})
        rows.append([name, median(taken["ours"]), median(taken["uv"]), ratio(taken["ours"], taken["uv"])])
        report.goal(f"{name}: from nothing against uv --compile-bytecode", rows[-1][3], GOAL_NOTHING)
    report.table(["caches empty", "ours ms", "uv venv + install, bytecode, ms", "ratio"], rows)


def asked(state: pathlib.Path, text: pathlib.Path, *words: str, **settings: str) -> tuple[dict, list[tuple[float, str]]]:
    """What a builder of its own answers, and when each line of its progress or log came."""
    owner = os.stat(state / "nix").st_uid
    ids = ["--uid", str(owner), "--gid", str(owner)] if os.geteuid() == 0 != owner else []
    command = [HELPERS / "envask", "--builder", client.BIN / "cuvette-builder", "--state", state, *ids,
               "--exclude-newer", client.DATE, *words, text]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, **settings}) as process:
        said = [(time.perf_counter(), line) for line in process.stderr]
        answer = json.loads(process.stdout.read())
    assert "env" in answer, answer
    return answer, said


def more(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head("One package more in an environment of thirty, from an index on the loopback")
    text, rows = folder / "pieces.txt", []
    with served.Server() as index:
        for piece in PIECES:
            index.add(served.wheel(piece))
        for n in range(30, len(PIECES) + 1):
            text.write_text("".join(f"{piece}==1.0\n" for piece in PIECES[:n]))
            answer, said = asked(service.state, text, UV_DEFAULT_INDEX=index.index)
            steps = {line.split()[1]: at for at, line in reversed(said) if line.startswith("building ")}
            if n == 30:
                continue
            assert set(steps) >= {"0/2", "1/2"}, f"not its own wheel and one join: {said}"
            whole, installing = answer["ask_us"] / 1e6, steps["1/2"] - steps["0/2"]
            rows.append([n, 2, whole, answer["resolve_ms"] / 1000, installing, whole - installing])
    report.table(["packages", "builds", "whole request s", "resolving s", "its installation s", "all but that s"], rows)
    report.goal("one package more: beyond its installation", median([row[5] for row in rows]), GOAL_MORE_S, "s")
