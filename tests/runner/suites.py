# SPDX-License-Identifier: MIT
"""Which suites there are, and the commands each is made of.

A new test needs no entry here: programs are found by place and name
(tests/README.md). Only a new *kind* of test does.
"""

import dataclasses
import os
import pathlib
import sys

# Those that take longest first, so that none of the three at once is left alone at the end.
FOLDERS = ("nixenv", "api", "sandbox", "image", "cli", "fault", "fidelity")
PROGRAM_SECONDS = 600  # five times what the longest take, for machines that are slow and busy
API_ROUND = "tests/api/test_round.py"  # the end-to-end round that sanitizer builds run too


@dataclasses.dataclass
class Program:
    label: str
    command: list[str]
    kind: str  # "tap" (or exit status only) or "pytest"
    seconds: float = PROGRAM_SECONDS


@dataclasses.dataclass
class Suite:
    name: str
    build: pathlib.Path
    programs: list[Program]
    needs_state: bool = False
    jobs: int = 1  # programs of this suite that may run at once
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


def is_script(path: pathlib.Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK) and not path.name.startswith((".", "test_helper"))


def pytest_program(path: pathlib.Path, seconds: float = PROGRAM_SECONDS) -> Program:
    command = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs", "--tb=short", "--color=no",
               "--showlocals", str(path)]
    return Program(str(path), command, "pytest", seconds)


def head_of(path: pathlib.Path) -> bytes:
    with open(path, "rb") as source:
        return source.read(1024)


def is_left_out(path: pathlib.Path) -> bool:
    """What has no short form is for `make check-full`, and says `tests/run: in full only`."""
    return b"tests/run: in full only" in head_of(path) and os.environ.get("CUVETTE_TEST_FULL") != "1"


def seconds_of(path: pathlib.Path) -> float:
    """A program that needs longer says so in its first lines: `tests/run: seconds=N`."""
    _, found, rest = head_of(path).partition(b"tests/run: seconds=")
    return max(float(rest.split(maxsplit=1)[0]) if found else 0, PROGRAM_SECONDS)


def folder_programs(folder: pathlib.Path) -> list[Program]:
    programs = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix == ".py" and path.name.startswith("test_"):
            programs.append(pytest_program(path, seconds_of(path)))
        elif path.suffix != ".py" and is_script(path) and not is_left_out(path):
            programs.append(Program(str(path), [str(path)], "tap", seconds_of(path)))
    return programs


def unit_programs(build: pathlib.Path, wrapper: list[str]) -> list[Program]:
    programs = []
    for source in sorted(pathlib.Path("tests/unit").glob("test_*.c")):
        command = wrapper + [str(build / "tests/unit" / source.stem)]
        if wrapper and "tests/run: not under valgrind" in source.read_text()[:1024]:
            command = ["sh", "-c", "echo 'skip: valgrind does not know a system call that it makes'; exit 77"]
        programs.append(Program(source.stem, command, "tap"))
    return programs


def fuzz_programs(build: pathlib.Path, wrapper: list[str]) -> list[Program]:
    targets = sorted(pathlib.Path("tests/fuzz").glob("*/target.c"))
    return [Program(target.parent.name, wrapper + [str(build / "tests/fuzz" / target.parent.name),
                                                   str(target.parent / "corpus")], "tap")
            for target in targets]


VALGRIND = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite",
            "--child-silent-after-fork=yes"]
# The sanitizers' own findings end the program with a status no test uses.
ASAN_ENVIRONMENT = {
    "ASAN_OPTIONS": "exitcode=99:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
}


def every_suite(build: pathlib.Path, asan: pathlib.Path | None, valgrind: bool) -> list[Suite]:
    wrapper = VALGRIND if valgrind else []
    cores = os.cpu_count() or 1
    suites = [
        Suite("unit", build, unit_programs(build, wrapper), jobs=cores),
        Suite("fuzz", build, fuzz_programs(build, wrapper), jobs=cores),
        Suite("tree", build, folder_programs(pathlib.Path("tests/tree"))),
    ]
    if asan:
        suites += [
            Suite("unit-asan", asan, unit_programs(asan, []), jobs=cores, environment=ASAN_ENVIRONMENT),
            Suite("fuzz-asan", asan, fuzz_programs(asan, []), jobs=cores, environment=ASAN_ENVIRONMENT),
        ]
    suites += [Suite(name, build, folder_programs(pathlib.Path("tests") / name), needs_state=True)
               for name in FOLDERS]
    if asan:
        # Leaks are looked for in the units; in the processes of a service the leak
        # checker would need ptrace, which their system call filters refuse.
        environment = dict(ASAN_ENVIRONMENT)
        environment["ASAN_OPTIONS"] += ":detect_leaks=0"
        suites.append(Suite("api-asan", asan, [pytest_program(pathlib.Path(API_ROUND))], needs_state=True,
                            environment=environment))
    return suites


if sys.version_info < (3, 10):
    sys.exit("tests/run needs Python 3.10 or later")
