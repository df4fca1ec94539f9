# SPDX-License-Identifier: MIT
"""What serving costs: the service's own share of a request, many clients, those that wait, format and lint, events,
and a service as most are beside ours."""

import contextlib
import json
import math
import os
import pathlib
import random
import resource
import select
import socket
import subprocess
import sysconfig
import time

import client
from figures import Report, median, percentile
from parts import HELLO, MB, WARM_RUNS
from runner import pinned
from ways import Failed, Load, Program, cpu_of_tree, pss, stat_of

OVERHEAD_MS, P99_FACTOR, WAITING_MB, RUFF_RATIO, EVENT_MS, RATE_RATIO = 0.5, 3, 60, 0.2, 50, 5
CROWD = 128
WAITING, PLACES, FOLLOWERS = 1000, 1200, 4096
CORPUS, CORPUS_BYTES = 500, 60_000
OTHERS = pathlib.Path(__file__).resolve().parent / "others"


def cpu_of(pids) -> float:
    """Seconds that these processes have computed, all threads, to the nanosecond."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def hello(service, folder: pathlib.Path, *fields, port: int | None = None) -> Load:
    program = Program(folder, "hello", HELLO)
    words = [word for field in fields for word in ("--field", field)]
    return Load("http", "--port", port or service.port, "--requirements", program.requirements, "--code", program.code, *words)


def ours(service, folder: pathlib.Path, *fields) -> Load:
    load = hello(service, folder, f"exclude_newer={client.DATE}", *fields)
    load(WARM_RUNS)
    return load


# --- our own share ---


def overhead(report: Report, service, folder: pathlib.Path, length) -> None:
    """All that manager and builder compute, so receiving, checking, looking up, relaying and answering."""
    runs = 10 * length.rounds("hello")
    report.head(f"What the service itself computes for a request: hello, environment known, {runs} requests one by one")
    rows = []
    for way, fields in {"without lint": ["lint=off"], "with lint and format": []}.items():
        load = ours(service, folder, *fields)
        parts = {name: service.pid_of(f"cuvette-{name}") for name in ("manager", "builder")}
        before = {name: cpu_of([pid]) for name, pid in parts.items()}
        answer = load(runs)
        each = {name: (cpu_of([pid]) - before[name]) / runs * 1000 for name, pid in parts.items()}
        load.close()
        rows.append([way, each["manager"], each["builder"], sum(each.values()), median(answer["ms"]),
                     answer["own_cpu_s"] / runs * 1000])
    report.table(["request", "manager's CPU ms", "builder's", "together", "p50 ms", "generator's CPU ms"], rows)
    report.goal("a warm run's overhead: CPU of manager and builder", rows[0][3], OVERHEAD_MS, "ms")


# --- many at once ---


def crowd(report: Report, service, folder: pathlib.Path, length) -> None:
    cores = os.cpu_count()
    report.head(f"{CROWD} clients, whole requests with lint and format, every program new; {length.seconds:g} s")
    load = ours(service, folder)
    alone = load(length.rounds("hello"))
    load(2 * CROWD, CROWD)
    answer = load(1000000, CROWD, length.seconds)
    load.close()
    rows = [[n, a["runs"], a["runs"] / a["wall_s"], percentile(a["ms"], 50), percentile(a["ms"], 99),
             a["own_cpu_s"] / a["wall_s"] * 100] for n, a in ((1, alone), (CROWD, answer))]
    report.table(["clients", "requests", "a second", "p50 ms", "p99 ms", "generator's CPU %"], rows)
    report.say(f"\nNo error among {answer['runs']}.")
    report.goal(f"{CROWD} clients: p99 against one client's p50, times clients, by cores",
                rows[1][4] / (rows[0][3] * CROWD / cores), P99_FACTOR)


# --- those that wait ---


@contextlib.contextmanager
def instead(service, *flags):
    """Another service on the same state; the first comes back."""
    service.stop()
    try:
        with client.Service(service.state, *flags) as other:
            yield other
    finally:
        service.start()


def own_pss(service) -> float:
    """MB of the service's own processes; not of boxes, nor of ruff."""
    return sum(pss(pid) for pid, name in service.pids().items()
               if name in ("cuvette-manager", "cuvette-builder", "cuvette-launcher")) / MB


def request(code: str, *fields: str) -> bytes:
    parts = b"".join(client.part(*(text.encode() if i else text for i, text in enumerate(field.split("=", 1))))
                     for field in fields)
    return client.request(client.REQUIREMENTS + client.part("code", code.encode(), "main.py") + parts + client.END)


def send(service, data: bytes) -> socket.socket:
    s = service.connect(timeout=300)
    s.sendall(data)
    return s


def waiting(report: Report, service, folder: pathlib.Path, length) -> None:
    """The boxes are taken by runs that sleep, and a thousand more are asked for."""
    report.head(f"{WAITING} clients that wait for a box at once (--clients {PLACES})")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(4 * PLACES, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),) * 2)
    rows = []
    for lint in ("off", "on"):
        with instead(service, "--clients", str(PLACES), "--boxes", "4") as other, contextlib.ExitStack() as stack:
            other.answer("print()\n")
            holders = [stack.enter_context(send(other, request("import time\ntime.sleep(280)\n", "timeout=300", "lint=off")))
                       for _ in range(4)]
            queue = lambda: other.get("/health").json()["components"]["queue"]["running"]  # noqa: E731
            client.wait_until(lambda: queue() == len(holders), 60, "the boxes are taken")
            time.sleep(2)
            idle, begun = own_pss(other), time.monotonic()
            sockets = [stack.enter_context(send(other, request(f"print('w{i}')\n", f"lint={lint}"))) for i in range(WAITING)]
            client.wait_until(lambda: queue() == WAITING + len(holders), 120, "all of them are in")
            took = time.monotonic() - begun
            time.sleep(2)
            more = own_pss(other) - idle
            answered = select.poll()
            for s in sockets:
                answered.register(s, select.POLLIN)
            assert not answered.poll(0), "one was answered without a box"
            for s in holders:
                s.close()
            begun = time.monotonic()
            for i, s in enumerate(sockets):
                answer = client.read_answer(s)
                assert answer.status == 200 and answer.json()["stdout"] == f"w{i}\n", answer.body[:500]
            rows.append([f"for a box, lint={lint}", idle, more, more * 1000 / WAITING, took,
                         WAITING / (time.monotonic() - begun)])
    rows.append(["for events", *following(service), "–"])
    report.table(["they wait", "PSS idle MB", "above it MB", "each KB", "all in after s", "then answered a second"], rows)
    report.goal(f"{WAITING} clients that wait: PSS above idle", max(row[2] for row in rows), WAITING_MB, "MB")


def following(service) -> list[float]:
    """The same for who follows the events of one run."""
    with instead(service, "--clients", str(FOLLOWERS)) as other, contextlib.ExitStack() as stack:
        other.answer("print()\n")
        time.sleep(2)
        idle = own_pss(other)
        with send(other, request("import time\ntime.sleep(280)\n", "timeout=300", "mode=async", "lint=off")) as s:
            run = client.read_answer(s).json()
        begun, ask = time.monotonic(), f"GET {run['events_url']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for s in [stack.enter_context(send(other, ask)) for _ in range(WAITING)]:
            assert s.recv(65536).startswith(b"HTTP/1.1 200 "), "one may not follow"
        took = time.monotonic() - begun
        time.sleep(2)
        more = own_pss(other) - idle
        other.client().delete(run["status_url"])
    return [idle, more, more * 1000 / WAITING, took]


# --- format and lint ---


def corpus() -> list[str]:
    """Files of this machine's own Python, of all sizes; in any order, but always the same."""
    top, found = pathlib.Path(sysconfig.get_path("stdlib")), []
    for path in sorted(top.rglob("*.py")):
        if "site-packages" not in path.parts and 0 < path.stat().st_size < CORPUS_BYTES:
            with contextlib.suppress(UnicodeDecodeError):
                found.append(path.read_bytes().decode())
    assert len(found) >= CORPUS, f"{top} has {len(found)} files"
    return random.Random(6).sample(found, CORPUS)


def lint_processes(service) -> set[int]:
    """Manager, kept ruffs, and what of the launcher stands between."""
    launcher, names = service.pid_of("cuvette-launcher"), service.pids()
    found = {service.pid_of("cuvette-manager")}
    for pid, name in names.items():
        with contextlib.suppress(OSError):  # another run's box, which has gone
            while name == "ruff" and pid not in (launcher, 1):
                parent = int(stat_of(str(pid))[1])
                found.add(pid)
                pid = parent
    return found


def computed(service, pids: set[int], code: str, lint: str) -> tuple[float, dict]:
    """CPU seconds of these processes for a request, and its answer; not a number when one of them is gone."""
    before = after = float("nan")
    with contextlib.suppress(OSError):
        before = cpu_of(pids)
    answer = service.answer(code, lint=lint, timeout="0.1")
    time.sleep(0.002)  # what is done behind the answer
    with contextlib.suppress(OSError):
        after = cpu_of(pids)
    return after - before, answer


def spawned(ruff: str, code: str) -> tuple[float, str, list]:
    """CPU seconds of the two processes, and what they say, as the service puts it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = [subprocess.run([ruff, *words, "--isolated", "--no-cache", "--target-version", "py311", "--stdin-filename",
                            "main.py", "-"], input=code.encode(), capture_output=True, check=False)
            for words in (("format",), ("check", "--output-format=json", "--exit-zero"))]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = sorted(([w["code"] or "invalid-syntax", w["message"], *w["location"].values()] for w in json.loads(done[1].stdout)),
                   key=lambda w: (w[3], w[2], w[0], w[1]))
    if done[0].returncode:
        found = [next(w for w in found if w[0] == "invalid-syntax")]
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            code if done[0].returncode else done[0].stdout.decode(), found)


def ruff(report: Report, service, folder: pathlib.Path, length) -> None:
    """Of each file: a request without lint, one with it, and two processes."""
    files, tool, token = corpus(), client.tool("ruff", service.state), client.new_mark()
    report.head(f"Format and lint of {len(files)} files that were never seen, against two ruff processes each")
    kept, spawns, kinds, different = [], [], 0, []
    service.answer("x = 1\n")
    client.wait_until(lambda: sum(name == "ruff" for name in service.pids().values()) >= 2, 60, "ruffs stand by")
    for number, text in enumerate(files):
        code = f"{text}\n# {token} {number}\n"
        pids = lint_processes(service)
        without, _ = computed(service, pids, code, "off")
        with_it, answer = computed(service, pids, code, "on")
        cpu, formatted, warnings = spawned(tool, code)
        said = [[w["code"], w["message"], w["column"], w["row"]] for w in answer["lint_warnings"]]
        kinds += len(said)
        if answer["lint"] != "done" or answer["formatted_code"] != formatted or said != warnings:
            different.append(number)
        # Another ruff may have come, and have done the work.
        if lint_processes(service) == pids and not math.isnan(with_it - without):
            kept.append(with_it - without)
            spawns.append(cpu)
    report.table(["what", "files", "CPU ms each", "of the largest tenth", "÷ two processes"],
                 [["kept", len(kept), 1000 * sum(kept) / len(kept), 1000 * percentile(kept, 90), sum(kept) / sum(spawns)],
                  ["two processes", len(spawns), 1000 * sum(spawns) / len(spawns), 1000 * percentile(spawns, 90), 1.0]])
    report.say(f"\n{len(files) - len(different)} of {len(files)} answers are equal, with {kinds} warnings."
               + (f" Others: {different[:20]}" if different else ""))
    report.goal("format and lint: CPU against two processes", sum(kept) / sum(spawns), RUFF_RATIO)
    report.goal("format and lint: answers that differ", len(different), 0, "")


# --- events ---


def first_event(service) -> tuple[float, float]:
    """ms from asking for the events to the first of them; and from the request that they are about."""
    begun = time.monotonic()
    with send(service, request("print(1)\n", "mode=async", "lint=off")) as s:
        run = client.read_answer(s).json()
    asked = time.monotonic()
    with send(service, f"GET {run['events_url']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()) as s:
        data = b""
        while b"event:" not in data:
            piece = s.recv(65536)
            if not piece:
                raise Failed(f"the stream ended: {data[-200:]!r}")
            data += piece
        came = time.monotonic()
        while b"event: end" not in data:
            data += s.recv(65536)
    return (came - asked) * 1000, (came - begun) * 1000


def events(report: Report, service, folder: pathlib.Path, length) -> None:
    rounds = length.rounds("hello")
    report.head(f"The first server-sent event, {rounds} runs that are answered later")
    taken = [first_event(service) for _ in range(rounds)]
    rows = [[what, percentile(ms, 50), percentile(ms, 99), max(ms)] for what, ms in
            zip(("after asking for the events", "after sending the request"), zip(*taken))]
    report.table(["first event", "p50 ms", "p99 ms", "longest ms"], rows)
    report.goal("first event after asking: p99", rows[0][2], EVENT_MS, "ms")


# --- as most are ---


class FastApi:
    """FastAPI with subprocess, as many workers as there are processors."""

    def __init__(self, folder: pathlib.Path, ruff_tool: str):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        path = pinned.install(OTHERS / "requirements.txt", client.BIN.parent)
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{path}:{OTHERS}", "RUFF": ruff_tool, "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(["/usr/bin/python3", "-m", "uvicorn", "--port", str(self.port), "--workers",
                                         str(os.cpu_count()), "--no-access-log", "--log-level", "error", "service:app"],
                                        env=environment, stdin=subprocess.DEVNULL, cwd=folder)

    def __enter__(self) -> "FastApi":
        client.wait_until(self._listens, 60, "uvicorn listens")
        return self

    def _listens(self) -> bool:
        assert self.process.poll() is None, "uvicorn ended"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        return False

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)


def fastapi(report: Report, service, folder: pathlib.Path, length) -> None:
    """The same bytes to both, in turns; ours with all isolation, theirs with none."""
    report.head(f"FastAPI with subprocess beside ours: hello, every program new; {length.seconds:g} s each")
    rows, ratios = [], {}
    with FastApi(folder, client.tool("ruff", service.state)) as other:
        trees = {"ours": service.process.pid, "FastAPI": other.process.pid}
        for work, fields in {"with lint and format": [], "without lint": ["lint=off"]}.items():
            loads = {"ours": hello(service, folder, *fields), "FastAPI": hello(service, folder, *fields, port=other.port)}
            best = dict.fromkeys(loads, 0.0)
            for load in loads.values():
                load(WARM_RUNS, 2)
            for n in (1, os.cpu_count(), 8, 32):
                for who, load in loads.items():
                    before = cpu_of_tree(trees[who])
                    a = load(1000000, n, length.seconds)
                    cpu, rate = cpu_of_tree(trees[who]) - before, a["runs"] / a["wall_s"]
                    best[who] = max(best[who], rate)
                    rows.append([f"{n} × {who}, {work}", a["runs"], rate, percentile(a["ms"], 50), percentile(a["ms"], 99),
                                 cpu / a["runs"] * 1000, a["own_cpu_s"] / a["wall_s"] * 100])
            for load in loads.values():
                load.close()
            ratios[work] = best["ours"] / best["FastAPI"]
    report.table(["clients", "requests", "a second", "p50 ms", "p99 ms", "CPU ms each", "generator's CPU %"], rows)
    for work, value in ratios.items():
        report.goal(f"runs/s against FastAPI with subprocess, {work}", value, RATE_RATIO, least=True)
