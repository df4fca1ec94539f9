# SPDX-License-Identifier: MIT
"""Shows that the suite can fail. Harmless programs run without any box and must
be found out; answers that are wrong in one point must be; and what a run might
leave is laid out by hand and must be seen."""
import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from . import companions, leftovers, packages, program as programs, runner, senders

SLEEP_S = 600  # they are killed before


def _outside(report) -> int:
    failed, sender, listeners = 0, senders.Outside(), companions.Listeners()
    wanted = [p for p in programs.load([]) if p.outside_fails]
    for program in wanted:
        began = time.monotonic()
        values = {**listeners.values, "host_addresses": [], "far_addresses": [], "hostname": socket.gethostname(), "state": "/proc",
                  "service_secret": sender.secret[::-1], "secret": sender.secret}
        observed = sender.send(program, program.arguments(values))
        found_out = bool(programs.judge(program, observed))
        failed += not found_out
        report(f"self-test: {program.name} without a box is found out",
               [] if found_out else ["it passed: " + observed.stdout[-300:]], time.monotonic() - began)
    if len(wanted) < 15:
        report("self-test: programs that may run outside", [f"only {len(wanted)}"], 0)
        failed += 1
    return failed


def _paces(report) -> int:
    """On no machine, however slow, a program asks for more than it can have."""
    was, programs.pace = programs.pace, 100.0
    try:
        loaded = programs.load([])
        too_long = [p.name for p in [*loaded, *(p.next for p in loaded if p.next)] if p.timeout > programs.TIMEOUT_MAX_S]
    finally:
        programs.pace = was
    report("self-test: a slow machine's limits can be had", [f"more than there may be: {' '.join(too_long)}"] if too_long else [], 0)
    return bool(too_long)


def _judge(report) -> int:
    program = programs.parse("sample", "# limits: timeout=2\n# expect: status timeout\n# expect: stdout ~ ^held x\n"
                             "# expect: memory < 1MiB\n# expect: signal SIGKILL\n# expect: truncated stdout\n"
                             "# expect: stdout_bytes <= 10\n# expect: return_code 137\n")
    good = programs.Observed("timeout", 137, "SIGKILL", "held x", "", {"stdout": True}, 2.1, 0.1, 1000)
    late = dataclasses.replace(good, status="timeout", return_code=137, stdout="", wall=9.0)
    hurried = programs.parse("sample", "# limits: timeout=2\n# expect: status success\n# expect: stdout ~ ^held x\n# expect: return_code 0\n")
    for what, observed, again in (("only late", late, True), ("a hole, and late", dataclasses.replace(late, stdout="HOLE x"), False)):
        found = programs.judge(hurried, observed)
        if not found or all(isinstance(w, programs.Late) for w in found) != again:
            report(f"self-test: {what}", list(map(repr, found)), 0)
            failed += 1
    bad = {"status": "success", "return_code": 0, "signal": None, "stdout": "held y", "truncated": {}, "wall": 30.0,
           "memory": 1 << 21, "stderr": "HOLE somewhere", "trouble": "no answer"}
    failed = 0
    if wrong := programs.judge(program, good):
        report("self-test: a right answer passes", wrong, 0)
        failed += 1
    for field, value in bad.items():
        found_out = bool(programs.judge(program, dataclasses.replace(good, **{field: value})))
        failed += not found_out
        report(f"self-test: a wrong {field} is found out", [] if found_out else ["it passed"], 0)
    with contextlib.suppress(programs.BadProgram):
        programs.parse("sample", "# expect: status succes\n")
        report("self-test: a misspelt expectation is refused", ["it was taken"], 0)
        failed += 1
    return failed


def _process_left():
    """A process that a run seems to have left: child of the watched one, and as
    root under a box's id too."""
    def become_box():
        if os.geteuid() == 0:
            os.setresuid(*[leftovers.BOX_UIDS[5]] * 3)
    return subprocess.Popen(["sleep", str(SLEEP_S)], preexec_fn=become_box)


def _leftovers(report) -> int:
    failed = 0
    watch = leftovers.Leftovers(os.getpid(), None)
    watch.slack = 0
    if wrong := watch.find():
        report("self-test: nothing left is nothing found", wrong, 0)
        failed += 1
    patience, leftovers.PATIENCE_S = leftovers.PATIENCE_S, 0.2  # what was left stays
    marked = pathlib.Path("/tmp") / f"{leftovers.MARK}-{os.getpid()}"
    process = _process_left()
    sock = socket.socket(socket.AF_UNIX)
    try:
        marked.write_text("x")
        sock.bind(f"\0{leftovers.MARK}-mark-{os.getpid()}")
        found = "\n".join(watch.find())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        marked.unlink(missing_ok=True)
        sock.close()
        leftovers.PATIENCE_S = patience
    for what, sign in (("process", f"process {process.pid} "), ("file", str(marked)), ("socket", "unix socket"),
                       ("descriptor", "descriptors of")):
        failed += sign not in found
        report(f"self-test: a {what} left behind is found", [] if sign in found else [found or "nothing found"], 0)
    return failed


def _ways(report) -> int:
    """A run that took another way into its box than was asked for counts for nothing;
    a process that is in no box is seen as such."""
    class Elsewhere:
        path, secret = "zygote", ""

        @staticmethod
        def send(_program, _arguments):
            return programs.Observed("success", 0, None, "held x", path="cold", why_cold="a test")

    elsewhere = runner.Runner(Elsewhere, None)
    elsewhere.patience = 0.2
    observed = elsewhere._send(programs.parse("sample", "# expect: status success\n"), [])
    process = subprocess.Popen(["sleep", str(SLEEP_S)])
    try:
        found = "\n".join(packages.lasting(lambda: packages.unsealed_now(os.getpid(), "none"), 0.5))
    finally:
        process.kill()
        process.wait()
    wrong = {"another way into a box": "" if "took the path cold" in observed.trouble else observed.trouble or "it passed"}
    for sign in ("has our user mnt net pid", "in no control group", "user id of the host"):
        wrong[f"a process with what `{sign}` says"] = "" if f"process {process.pid} " in found and sign in found else found or "nothing"
    for what, why in wrong.items():
        report(f"self-test: {what} is found out", [why] if why else [], 0)
    return sum(map(bool, wrong.values()))


def run(report) -> int:
    failed = _judge(report) + _paces(report) + _leftovers(report) + _ways(report) + _outside(report)
    sys.stdout.flush()
    return 1 if failed else 0
