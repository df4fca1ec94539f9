# SPDX-License-Identifier: MIT
# tests/run: seconds=900
"""A program can't tell whether it is in a sandbox, nor whether it was forked: each of
programs/ runs in a box, cold (`python main.py`), forked on demand, and from the pool, and
stdout, stderr, status and the files it left (programs that import watch print those) are
compared byte by byte with those of plain `python main.py`, without any of the launcher
(plain.py). docs/fidelity.md lists what does differ.

A program's first lines say what it is given and what is special about it:
    # args: ["a", "b"]     arguments, as JSON
    # stdin: "text"        standard input, as JSON
    # with: FILE...        files of with/ beside main.py (watch.py, where it is imported)
    # environment: NAME    of environments.py, or numpy
    # way: cold            such a run is never forked
    # way: differs         each run prints something else, forked ones too
    # sandbox: REASON      the sandbox makes a difference on purpose,
    # sandbox lines: RE    in these lines of stdout: they differ from plain's, and in no way else"""
import contextlib
import dataclasses
import io
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/fidelity"
sys.path[:0] = [str(HERE), str(ROOT / "tests/sandbox"), str(ROOT / "tests/nixenv")]

import environments  # noqa: E402
import helpers  # noqa: E402
import plain  # noqa: E402
from suite import launcher as launchers  # noqa: E402

BIN = pathlib.Path(os.environ.get("CUVETTE_BIN", ROOT / "build/bin")).resolve()
HELPERS = pathlib.Path(os.environ.get("CUVETTE_BUILD", ROOT / "build")).resolve() / "tests/helpers"
BOXRUN, PLAIN = HELPERS / "boxrun", HELPERS / "plain"
PACKAGES = {"numpy": "numpy==1.26.4\n" if environments.PYTHON == "3.11" else "numpy==2.3.4\n"}
RUN_S = 150
LIMIT_S = 60  # of a run in a box: a machine may stand still for longer than the usual ten
WARM_S = 120
ADDRESS = re.compile(rb"0x[0-9a-f]{6,16}")
HEADS = re.compile(r"^# (args|stdin|with|environment|way|sandbox|sandbox lines): (.+)$", re.M)
# Who can't have a root made without the launcher has cold runs to compare with.
REFERENCE = "plain" if plain.is_possible() else "cold"
WAYS = ["cold", "zygote", "pool"] if REFERENCE == "plain" else ["zygote", "pool"]


@dataclasses.dataclass
class Program:
    name: str
    source: bytes
    environment: str = ""
    way: str = ""
    args: list = dataclasses.field(default_factory=list)
    stdin: bytes = b""
    files: list = dataclasses.field(default_factory=list)
    sandbox: str = ""
    sandbox_lines: str = ""


def load(path: pathlib.Path) -> Program:
    source = path.read_bytes()
    heads = dict(HEADS.findall(source.decode("latin-1")))
    files = heads.get("with", "").split() + (["watch.py"] if b"import watch\n" in source else [])
    # The header is UTF-8, whatever the rest is.
    args, stdin = (heads.get(k, v).encode("latin-1") for k, v in (("args", "[]"), ("stdin", '""')))
    return Program(path.stem, source, heads.get("environment", ""), heads.get("way", ""), json.loads(args),
                   json.loads(stdin).encode(), files, heads.get("sandbox", ""), heads.get("sandbox lines", ""))


def archive(name: str, before: bytes = b"", comment: bytes = b"", after: bytes = b"") -> Program:
    """A main.py that is an archive with a __main__ inside, which python runs."""
    made = io.BytesIO()
    made.write(before)
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(zipfile.ZipInfo("__main__.py"), "import sys, beside\nprint(__file__, sys.path[0], beside.NAME, __loader__)\n")
        zipped.writestr(zipfile.ZipInfo("beside.py"), "NAME = __name__\n")
        zipped.comment = comment
    return Program(name, made.getvalue() + after)


ARCHIVES = [archive("archive"), archive("archive_commented", comment=b"of " + b"x" * 500),
            archive("archive_behind_python", before=b"print('not this')\n"),
            archive("archive_large", before=b"#" * 20000), archive("archive_not_at_the_end", after=b"x" * 70000),
            Program("archive_mark_only", b"print('PK\x05\x06')\n"), Program("longer_than_looked_at", b"print(1)\n" + b"#" * 40000)]
# What no parser would take is called .bad, so that tools for python leave it alone.
PROGRAMS = [load(path) for path in sorted((HERE / "programs").iterdir()) if path.suffix in (".py", ".bad")]
PROGRAMS += ARCHIVES


@dataclasses.dataclass
class Run:
    stdout: bytes
    stderr: bytes
    status: str
    exit_code: int
    signal: int
    path: str
    why_cold: str

    @classmethod
    def of_plain(cls, stdout: bytes, stderr: bytes, wait_status: int):
        code = os.waitstatus_to_exitcode(wait_status)
        status = "killed" if code < 0 else "error" if code else "success"
        return cls(stdout, stderr, status, 128 - code if code < 0 else code, max(-code, 0), "plain", "")

    def seen(self, without: str = "") -> tuple:
        """What a client sees; where an object lies in memory is the one thing that no
        two runs of a program have in common. Without those lines of stdout, if any are said."""
        out = self.stdout
        if without:
            out = b"".join(line for line in out.splitlines(True) if not re.search(without.encode(), line))
        return self.status, self.exit_code, self.signal, ADDRESS.sub(b"0x..", out), ADDRESS.sub(b"0x..", self.stderr)


class World:
    """The store, the environments, a launcher for each way, and what has run once."""

    def __init__(self, state: pathlib.Path):
        self.state, self.store = state, state / "nix/nix/store"
        self.launchers, self.known, self.closures = {}, {}, {}
        self.plain_runs, self.cold_runs, self.warm = {}, {}, set()

    def environment(self, name: str) -> str:
        if name and name not in self.known:
            if name in PACKAGES:
                answer = helpers.ask(self.state, PACKAGES[name], "--python", environments.PYTHON)[0]
                assert "env" in answer, answer
                self.known[name], self.closures[name] = answer["env"], answer["closure"]
            else:
                self.known[name] = environments.make(self.store, name)
        return self.known.get(name, "")

    def launcher(self, way: str):
        if way not in self.launchers:
            self.launchers[way] = launchers.Launcher(BIN, BOXRUN, self.store, way, python=environments.PYTHON)
        return self.launchers[way]

    def words(self, program: Program, folder: pathlib.Path) -> list:
        """What boxrun and plain are told alike."""
        env = self.environment(program.environment)
        words = ["--env", env] if env else []
        for name in self.closures.get(program.environment, []):
            words += ["--closure", name] if name != env else []
        (folder / "main.py").write_bytes(program.source)
        (folder / "stdin").write_bytes(program.stdin)
        words += ["--file", f"main.py={folder / 'main.py'}", "--stdin", folder / "stdin"]
        for name in program.files:
            words += ["--file", f"{name}={HERE / 'with' / name}"]
        python = f"/nix/store/{env}/bin/python" if env else "/usr/bin/python3"
        return [*words, "--", python, "main.py", *program.args]

    def run(self, program: Program, way: str) -> Run:
        at = self.launcher(way)
        with tempfile.TemporaryDirectory(prefix="fidelity-") as folder:
            read_end, write_end = os.pipe()
            words = [BOXRUN, "--result-fd", str(write_end), "--connect", at.socket_path, "--image", at.image]
            words += ["--limit", f"timeout={LIMIT_S}", "--tenant", "fidelity", *(["--strict"] if way == "cold" else ["--zygote", at.zygote])]
            words += self.words(program, pathlib.Path(folder))
            try:
                done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, pass_fds=(write_end,),
                                      timeout=RUN_S, check=False)
            finally:
                os.close(write_end)
                with open(read_end, "rb") as file:
                    text = file.read()
        assert done.returncode == 0 and text and b'"failure"' not in text, (text, done.stderr[-500:])
        d = json.loads(text)
        return Run(done.stdout, done.stderr, d["status"], d["exit_code"], d["signal"], d["path"], d["why_cold"])

    def run_plain(self, program: Program, seconds: float = RUN_S) -> Run:
        image = launchers.find_in_store(self.store, "worker-image-python" + environments.PYTHON.replace(".", ""))
        with tempfile.TemporaryDirectory(prefix="fidelity-") as folder:
            words = ["--store", self.store, "--image", image, *self.words(program, pathlib.Path(folder))]
            return Run.of_plain(*plain.run(PLAIN, words, self.environment(program.environment), seconds))

    def reference(self, program: Program) -> Run:
        if REFERENCE == "cold":
            return self.cold(program)
        if program.name not in self.plain_runs:
            self.plain_runs[program.name] = self.run_plain(program)
        return self.plain_runs[program.name]

    def cold(self, program: Program) -> Run:
        if program.name not in self.cold_runs:
            self.cold_runs[program.name] = self.run(program, "cold")
            assert self.cold_runs[program.name].path == "cold"
        return self.cold_runs[program.name]

    def make_warm(self, program: Program, way: str) -> None:
        """Until the environment's runs go that way. A zygote starts with the first."""
        if program.way == "cold" or (program.environment, way) in self.warm:
            return
        probe = Program("probe", b"print(1)\n", program.environment)
        until = time.monotonic() + WARM_S
        while (seen := self.run(probe, way)).path != way:
            assert time.monotonic() < until, f"{way} never came: {seen.path} {seen.why_cold}"
            time.sleep(0.1)
        self.warm.add((program.environment, way))

    def forked(self, program: Program, way: str) -> Run:
        """By that way and no other: a pool that is being filled forks on demand."""
        self.make_warm(program, way)
        wanted = "cold" if program.way == "cold" else way
        until = time.monotonic() + WARM_S  # one that was late in forking is started again some seconds later
        while (run := self.run(program, way)).path != wanted and time.monotonic() < until:
            time.sleep(0.1)
        if run.path == wanted:
            return run
        raise AssertionError(f"it went {run.path}, not {wanted}: {run.why_cold}")

    def another(self, program: Program, way: str) -> Run:
        return self.run(program, "cold") if way == "cold" else self.forked(program, way)

    def close(self) -> None:
        for at in self.launchers.values():
            at.close()


@pytest.fixture(scope="session")
def world():
    if "CUVETTE_TEST_STATE" not in os.environ:
        pytest.skip("no state folder was given (run it by tests/run)")
    made = World(pathlib.Path(os.environ["CUVETTE_TEST_STATE"]))
    yield made
    made.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_same(world, program, way):
    reference, run = world.reference(program), world.cold(program) if way == "cold" else world.forked(program, way)
    if program.way == "differs":
        again = world.another(program, way)
        assert (run.status, run.stderr) == (reference.status, reference.stderr)
        words = [r.stdout.split() for r in (reference, run, again)]
        assert len({len(w) for w in words}) == 1
        assert all(len(set(column)) == 3 for column in zip(*words)), words
        return
    assert run.seen(program.sandbox_lines) == reference.seen(program.sandbox_lines)
    if program.sandbox and way == "cold":
        assert run.seen() != reference.seen(), "it is listed for a difference that is none"
    elif program.sandbox:
        assert run.seen() == world.cold(program).seen()


def processes_with(mark: str) -> list:
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found += [file.parent.name] if mark.encode() in file.read_bytes() else []
    return found


def wait_for_none(mark: str) -> None:
    until = time.monotonic() + WARM_S
    while processes_with(mark):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.skipif(REFERENCE != "plain", reason="not root: cold runs are the reference, no plain python was run")
def test_plain_leaves_nothing(world):
    """Neither at its end, nor when it has to be stopped."""
    mark = "fidelity-" + secrets.token_hex(8)
    source = b"import subprocess\nimport sys\nimport time\nnull = subprocess.DEVNULL\n" \
             b"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)', sys.argv[1]], stdout=null, stderr=null)\n" \
             b"time.sleep(float(sys.argv[2]))\n"
    assert processes_with("pytest")
    assert world.run_plain(Program("leaves", source, args=[mark, "0"])).status == "success"
    wait_for_none(mark)
    with pytest.raises(subprocess.TimeoutExpired):
        world.run_plain(Program("hangs", source, args=[mark, "300"]), seconds=2)
    wait_for_none(mark)
    assert str(world.store) not in pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8")


def test_programs_are_enough():
    """And what the header of one says has been understood."""
    assert len(PROGRAMS) >= 60
    assert all(p.way in ("", "cold", "differs") for p in PROGRAMS)
    assert all(p.environment in {"", *PACKAGES, *environments.MADE} for p in PROGRAMS)
    assert all((HERE / "with" / f).exists() for p in PROGRAMS for f in p.files)
    assert all(bool(p.sandbox) == bool(p.sandbox_lines) for p in PROGRAMS)


def test_comparison_can_fail(world):
    """What the ways do differ in (docs/fidelity.md) is seen by the comparison."""
    program = Program("parent", b"import os\nprint(os.getppid())\n")
    assert world.cold(program).seen() == world.reference(program).seen()
    assert world.forked(program, "zygote").seen() != world.reference(program).seen()


def test_signal_of_a_run_is_told(world):
    program = Program("killed", b"import os\nos.kill(os.getpid(), 9)\n")
    run = world.forked(program, "zygote")
    assert (run.status, run.signal) == ("killed", signal.SIGKILL)
