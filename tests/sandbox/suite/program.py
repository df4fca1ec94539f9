# SPDX-License-Identifier: MIT
"""A hostile program as a file: what it needs, and what must be seen of it.

Head lines of programs/NAME.py (docs/escape-suite.md has them with examples):
    # limits: timeout=2 processes=32      fields of the request
    # args: {tcp_port} {secret}           arguments, with the suite's values
    # with: tcp udp abstract victim       what runs beside it on the host or in a box
    # needs: cgroup-memory                skipped where the service says that this layer is off
    # expect: status timeout killed       one of these
    # expect: stdout ~ REGEX              found in a line (`!~`: in none); stderr too
    # expect: wall < 6                    also cpu, memory, stdout_bytes, stderr_bytes; <= >= >
    # expect: return_code 3, signal SIGKILL | none, truncated stdout
    # outside: fails                      harmless; --self-test runs it without a box
    # paths: cold - REASON                the other ways into a box don't apply
    # alone: REASON                       nothing else of the suite may run beside it
What follows a line `# ---- the next run` is a program of its own, run right after
in another box the same way: what the first did must not reach it. It must succeed,
say `held` of something, and has head lines of its own: limits and args (besides the
suite's values `{output}`, what the first printed, and `{secret_back}`), expect.
"""
import dataclasses
import operator
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "programs"
PRELUDE = pathlib.Path(__file__).resolve().parent / "prelude.py"
HEAD = re.compile(r"^# (limits|args|with|needs|expect|outside|paths|alone): (.+)$")
NEXT = "# ---- the next run\n"
PATHS = ("cold", "zygote", "pool")
STATUSES = {"success", "error", "timeout", "out-of-memory", "output-limit", "killed", "failed"}
COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
WALL_SLACK_S = 0.2
# How much slower than usual the machine is, as an emulated one: times grow by this.
pace = 1.0
TIMEOUT_MAX_S = 300  # a longer one is refused: lib/proto/limits.h
# What a program that --self-test runs without a box may not do.
HARMFUL = re.compile(r"\b(rename|unlink|truncate|mknod|mkfifo|chmod|chown|rmtree|kill|killpg|sethostname|O_CREAT|O_WRONLY|"
                     r"symlink|copy|Popen)\b|system\(|, \"w|mount \w+\", 165")


class BadProgram(Exception):
    pass


@dataclasses.dataclass
class Observed:
    """What came back of one run, whichever way it was sent."""
    status: str = ""
    return_code: int | None = None
    signal: str | None = None
    stdout: str = ""
    stderr: str = ""
    truncated: dict = dataclasses.field(default_factory=dict)
    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    path: str = ""  # the way into its box that the answer tells
    why_cold: str = ""
    trouble: str = ""  # there was no proper answer


class Late(str):
    """What was wrong was a matter of time. The machine may have been busy with the
    suite's other programs, so it is tried again with nothing beside it."""


class Charged(Late):
    """CPU time: a machine that stands still adds none, but what its host takes away is told as a
    process's own on some. So there are few tries."""


@dataclasses.dataclass
class Program:
    name: str
    text: str
    limits: dict = dataclasses.field(default_factory=dict)
    args: list = dataclasses.field(default_factory=list)
    companions: list = dataclasses.field(default_factory=list)
    needs: list = dataclasses.field(default_factory=list)
    expect: list = dataclasses.field(default_factory=list)
    outside_fails: bool = False
    paths: tuple = PATHS
    alone: bool = False
    next: "Program | None" = None

    @property
    def timeout(self) -> float:
        return float(self.limits.get("timeout", 10))

    def source(self) -> str:
        """The prelude stands before it, so that a program stays a page."""
        return PRELUDE.read_text() + self.text

    def arguments(self, values: dict) -> list:
        out = []
        for arg in self.args:
            value = values[arg[1:-1]] if arg.startswith("{") else arg
            out += value if isinstance(value, list) else [str(value)]
        return out


def _parse_next(name: str, text: str) -> Program:
    program = parse(f"{name}: the next run", "# expect: status success\n# expect: stdout ~ ^held \n" + text)
    if program.next or program.companions or program.outside_fails:
        raise BadProgram(f"{name}: the next run is a plain program")
    return program


def _parse_paths(name: str, value: str) -> tuple:
    names, _, reason = value.partition(" - ")
    if not reason or not set(names.split()) <= set(PATHS):
        raise BadProgram(f"{name}: `# paths: {' '.join(PATHS)} - REASON` names those that apply and why")
    return tuple(names.split())


def parse(name: str, text: str) -> Program:
    text, _, following = text.partition(NEXT)
    program = Program(name, text)
    if following:
        program.next = _parse_next(name, following)
    for line in text.splitlines():
        found = HEAD.match(line)
        if not found:
            continue
        key, value = found.groups()
        if key == "limits":
            program.limits.update(item.split("=", 1) for item in value.split())
        elif key == "args":
            program.args += value.split()
        elif key == "with":
            program.companions += value.split()
        elif key == "needs":
            program.needs += value.split()
        elif key == "outside":
            program.outside_fails = value == "fails"
        elif key == "paths":
            program.paths = _parse_paths(name, value)
        elif key == "alone":
            program.alone = True
        else:
            program.expect.append(expectation(name, value))
    if not any(label.startswith("status ") for label, _ in program.expect):
        raise BadProgram(f"{name}: no `# expect: status`")
    if program.outside_fails and (found := HARMFUL.search(text)):
        raise BadProgram(f"{name}: `outside: fails` is for harmless programs, and this has `{found.group()}`")
    return program


def load(wanted: list) -> list:
    programs = [parse(path.stem, path.read_text()) for path in sorted(FOLDER.glob("*.py"))]
    for program in [*programs, *(p.next for p in programs if p.next)] if pace != 1 else []:
        program.limits["timeout"] = f"{min(program.timeout * pace, TIMEOUT_MAX_S):g}"
    unknown = set(wanted) - {p.name for p in programs}
    if unknown:
        raise BadProgram(f"no such program: {', '.join(sorted(unknown))}")
    return [p for p in programs if not wanted or p.name in wanted]


def _size(text: str) -> float:
    found = re.fullmatch(r"([0-9.]+)(KiB|MiB|GiB|)", text)
    if not found:
        raise BadProgram(f"not a size: {text}")
    return float(found.group(1)) * UNITS[found.group(2)]


def expectation(name: str, text: str):
    """(the line, a function of Observed that gives None or what was wrong)."""
    words = text.split()
    subject = words[0]
    if subject == "status" and set(words[1:]) <= STATUSES and len(words) > 1:
        return text, lambda o: None if o.status in words[1:] else \
            (Late if o.status == "timeout" else str)(f"status is {o.status}")
    if subject in ("stdout", "stderr") and len(words) > 2 and words[1] in ("~", "!~"):
        pattern = re.compile(text.split(None, 2)[2], re.MULTILINE)
        want = words[1] == "~"
        return text, lambda o: None if bool(pattern.search(getattr(o, subject))) == want else \
            f"{subject} {'lacks' if want else 'has'} /{pattern.pattern}/"
    if subject in ("wall", "cpu", "memory", "stdout_bytes", "stderr_bytes") and len(words) == 3 and words[1] in COMPARE:
        bound, compare, kind = _size(words[2]), COMPARE[words[1]], {"wall": Late, "cpu": Charged}.get(subject, str)
        bound *= pace if subject in ("wall", "cpu") else 1
        return text, lambda o: None if compare(_measure(o, subject), bound) else \
            kind(f"{subject} is {_measure(o, subject):g}, not {words[1]} {words[2]}")
    if subject == "return_code" and len(words) == 2:
        return text, lambda o: None if o.return_code == int(words[1]) else f"return_code is {o.return_code}"
    if subject == "signal" and len(words) == 2:
        want_signal = None if words[1] == "none" else words[1]
        return text, lambda o: None if (o.signal or None) == want_signal else f"signal is {o.signal}"
    if subject == "truncated" and len(words) == 2:
        return text, lambda o: None if o.truncated.get(words[1]) else f"{words[1]} is not marked as truncated"
    raise BadProgram(f"{name}: expectation not understood: {text}")


def _measure(observed: Observed, subject: str) -> float:
    if subject.endswith("_bytes"):
        return len(getattr(observed, subject[:-6]).encode("utf-8", "replace"))
    return getattr(observed, subject)


def _kind(observed: Observed, label: str, kind: type) -> type:
    """One that was ended by its time has not come to say or do what it would have."""
    subject, rest = label.split(None, 1)
    short = subject in ("status", "wall", "cpu", "return_code", "signal", "truncated") or rest.startswith(("~", ">"))
    return (Late if kind is str else kind) if observed.status == "timeout" and short else str


def judge(program: Program, observed: Observed) -> list:
    """What was wrong, in words; empty when all was as it must be."""
    if observed.trouble:
        return [observed.trouble]
    wrong = [_kind(observed, label, type(why))(why) for label, check in program.expect if (why := check(observed))]
    for stream in ("stdout", "stderr"):
        wrong += [line[:300] for line in getattr(observed, stream).splitlines() if line.startswith("HOLE")][:5]
    if observed.wall > program.timeout + WALL_SLACK_S * pace:
        wrong.append(Late(f"took {observed.wall:.2f} s with a timeout of {program.timeout:g} s"))
    if wrong and observed.stderr and observed.status == "error":
        wrong.append("stderr: " + observed.stderr.strip()[-300:])
    return wrong
