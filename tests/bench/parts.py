# SPDX-License-Identifier: MIT
"""What running costs: each way into a box beside bare python of the same image,
many clients, memory, whole requests, and a neighbour that attacks."""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import time

import client
from figures import Report, in_turns, median, percentile
from ways import HELPERS, Failed, Launcher, Load, Program, Roots, cpu_of_tree, name_of, pss, stat_of, tree, zygote_of

HELLO = 'print("hello", token)\n'
PROGRAMS = {
    "hello": (HELLO, "# none\n"),
    "numpy": ("import numpy\nprint(numpy.arange(1000).sum(), token)\n", "numpy==1.26.4\n"),
    "pandas": ("import pandas\nprint(pandas.DataFrame({'a': range(1000)}).a.sum(), token)\n", "pandas==2.2.2\n"),
}
CLIENTS = (1, 2, 8, 32, 128)
WARM_RUNS = 40  # until a zygote is there and what waits in it
WAITING = 8
P50_GOALS = {"on demand": 0.16, "pool": 0.12}
PSS_GOALS_MB = {"hello": 4.0, "numpy": 12.0, "pandas": 30.0}
MB = 1e6


def programs(service, folder: pathlib.Path, names=PROGRAMS) -> dict[str, Program]:
    return {name: Program(folder, name, *PROGRAMS[name]).know(service) for name in names}


@contextlib.contextmanager
def launcher(service, folder, *options):
    running = Launcher(service.state, folder, *options)
    try:
        yield running
    finally:
        running.close()


def warmed(load: Load, way: str) -> Load:
    """After enough runs for what is meant to be measured to be there."""
    for _ in range(WARM_RUNS):
        if load(1)["paths"]["zygote" if way == "on demand" else "pool"]:
            return load
        time.sleep(0.1)
    raise Failed(f"no run came from a zygote ({way})")


# --- one run after the other ---


def paths(report: Report, service, folder: pathlib.Path, length) -> None:
    known, zygote = programs(service, folder), zygote_of(service.state)
    if not zygote:
        report.say("\n(The store has no zygote: cold runs only.)")
    with contextlib.ExitStack() as stack:
        roots = stack.enter_context(Roots(service.state, folder, known["hello"].image))
        cold = stack.enter_context(launcher(service, folder, "--zygotes", "0"))
        ours = {"cold": cold}
        if zygote:
            ours["on demand"] = stack.enter_context(launcher(service, folder, "--pool", "0"))
            ours["pool"] = stack.enter_context(launcher(service, folder, "--pool", "2"))
        for name, program in known.items():
            one_program(report, roots, ours, zygote, program, length.rounds(name))


def one_program(report: Report, roots: Roots, ours: dict, zygote: str | None, program: Program, rounds: int) -> None:
    report.head(f"One run after the other: {program.name}, {rounds} rounds in turns")
    loads, samples, failures = {"bare": roots.bare(program)}, {}, {}
    try:
        for way, its in ours.items():
            options = ["--strict"] if way == "cold" else ["--zygote", zygote, "--tenant", "bench"]
            loads[way] = its.load(program, *options)
            if way != "cold":
                warmed(loads[way], way)
        loads["cold, bare's command"] = ours["cold"].load(program, "--strict", argv=program.bare)
        for way in roots.others():
            loads[way] = getattr(roots, way)(program)
            try:
                loads[way](1)
            except Failed as why:
                failures[way] = str(why)
                loads.pop(way).close()
        samples = take(loads, ours, rounds)
    finally:
        for load in loads.values():
            load.close()
    show(report, program, samples)
    for way, why in failures.items():
        report.say(f"\n{way} did not run it: {why}")


def take(loads: dict, ours: dict, rounds: int) -> dict:
    """Of each way: ms of the runs, CPU ms of each, and of the generator, and the paths."""
    taken = {way: {"ms": [], "cpu": 0.0, "own": 0.0, "paths": {}} for way in loads}

    def one(way: str):
        def measure() -> float:
            # Two ways share the cold launcher, so it is read around each run; what a
            # pool does after the answer is its own too.
            before = cold.cpu()
            answer = loads[way](1)
            kept = taken[way]
            if way.startswith("cold"):
                kept["cpu"] += cold.cpu() - before
            kept["own"] += answer["own_cpu_s"]
            for path, n in answer["paths"].items():
                kept["paths"][path] = kept["paths"].get(path, 0) + n
            return answer["ms"][0]
        return measure

    cold = ours["cold"]
    begun = {way: its.cpu() for way, its in {**loads, **ours}.items()}
    boxes = {way: its.cpu_in_boxes() for way, its in ours.items() if way != "cold"}
    found = in_turns(rounds, {way: one(way) for way in loads})
    for way, ms in found.items():
        taken[way]["ms"] = ms
        if way in ours and way != "cold":
            taken[way]["cpu"] = ours[way].cpu() - begun[way]
            taken[way]["boxes"] = (ours[way].cpu_in_boxes() - boxes[way]) * 1000 / (rounds + 1)
        elif not way.startswith("cold"):
            taken[way]["cpu"] = loads[way].cpu() - begun[way] - taken[way]["own"]
        taken[way]["cpu"] *= 1000 / (rounds + 1)
        taken[way]["own"] *= 1000 / (rounds + 1)
    return taken


def show(report: Report, program: Program, samples: dict) -> None:
    bare, rows = samples["bare"], []
    reference = percentile(bare["ms"], 50)
    for way, s in samples.items():
        p10, p50, p99 = (percentile(s["ms"], p) for p in (10, 50, 99))
        rows.append([way, p10, p50, p99, s["cpu"], p50 / reference, s["cpu"] / bare["cpu"],
                     s.get("boxes", "–"), s["own"] if way != "bare" else "–",
                     ", ".join(f"{path} {n}" for path, n in s["paths"].items() if n) or "–"])
        goals(report, program, way, s, bare)
    report.table(["way", "p10 ms", "p50 ms", "p99 ms", "CPU ms", "p50 ÷ bare", "CPU ÷ bare", "in the box", "client's CPU ms",
                  "taken"], rows)


def goals(report: Report, program: Program, way: str, s: dict, bare: dict) -> None:
    p50, p99, reference = percentile(s["ms"], 50), percentile(s["ms"], 99), percentile(bare["ms"], 50)
    if program.name == "hello" and way in P50_GOALS:
        report.goal(f"{way}, hello: p50", p50 / reference, P50_GOALS[way])
        report.goal(f"{way}, hello: p99 against bare's p50", p99 / reference, 0.5)
        report.goal(f"{way}, hello: CPU", s["cpu"] / bare["cpu"], 0.2)
    elif way in P50_GOALS:
        report.goal(f"{way}, {program.name}: CPU", s["cpu"] / bare["cpu"], 0.05)
    elif way == "cold, bare's command" and program.name == "hello":
        report.goal("cold, hello: p50", p50 / reference, 1.1)


# --- many clients ---


def clients(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head(f"Many clients, hello, every program new; {length.seconds:g} s each")
    program, zygote = programs(service, folder, ["hello"])["hello"], zygote_of(service.state)
    options = ["--zygote", zygote, "--tenant", "bench"] if zygote else ["--strict"]
    cores, rows, best = os.cpu_count(), [], {}
    with Roots(service.state, folder, program.image) as roots, launcher(service, folder, "--pool", "2") as its:
        loads = {"launcher": its.load(program, *options), "bare": roots.bare(program)}
        if zygote:
            warmed(loads["launcher"], "pool")
        for n in CLIENTS:
            for way, load in loads.items():
                if way == "bare" and n > 2 * cores:
                    continue  # it only gets slower
                load(2 * n, n)
                before = its.cpu(), load.cpu()
                answer = load(1000000, n, length.seconds)
                cpu = its.cpu() - before[0] if way == "launcher" else load.cpu() - before[1] - answer["own_cpu_s"]
                rate = answer["runs"] / answer["wall_s"]
                best[way] = max(best.get(way, 0), rate)
                rows.append([f"{n} × {way}", answer["runs"], rate, percentile(answer["ms"], 50), percentile(answer["ms"], 99),
                             cpu / answer["runs"] * 1000, answer["own_cpu_s"] / answer["wall_s"] * 100,
                             ", ".join(f"{path} {k}" for path, k in answer["paths"].items() if k) or "–"])
        for load in loads.values():
            load.close()
    report.table(["clients", "runs", "runs/s", "p50 ms", "p99 ms", "CPU ms/run", "generator's CPU %", "taken"], rows)
    report.say(f"\nMost runs/s on {cores} cores: {best['launcher']:.0f}, bare {best['bare']:.0f}.")
    report.goal("runs/s on all cores", best["launcher"] / best["bare"], 4.5, least=True)


# --- memory ---


def memory(report: Report, service, folder: pathlib.Path, length) -> None:
    zygote = zygote_of(service.state)
    report.head("Memory (PSS)")
    if not zygote:
        report.say("(The store has no zygote.)")
        return
    rows = []
    for name, program in programs(service, folder).items():
        none, many = (footprint(service, folder, program, zygote, pool) for pool in (0, WAITING))
        each = (many.all - none.all) / (many.waiting - none.waiting) if many.waiting else float("nan")
        rows.append([name, none.zygote / MB, many.zygote / MB, many.waiting, each / MB, none.ours / MB])
        report.goal(f"zygote, {name}: PSS", many.zygote / MB, PSS_GOALS_MB[name], "MB")
        if name == "hello":
            report.goal("a waiting sandbox, hello: PSS", each / MB, 0.6, "MB")
    report.table(["environment", "zygote alone MB", "beside its waiting runs MB", "these", "each waiting sandbox MB",
                  "launcher and keepers MB"], rows)


@dataclasses.dataclass
class Footprint:
    all: int  # PSS of everything
    ours: int  # launcher, keepers, box makers, inits
    zygote: int
    waiting: int  # runs


def footprint(service, folder, program: Program, zygote: str, pool: int) -> Footprint:
    """A launcher with one zygote and what waits in it, at rest. A waiting sandbox is
    processes of ours and one forked from the zygote, who is the oldest of its name."""
    with launcher(service, folder, "--pool", str(pool)) as its:
        load = its.load(program, "--zygote", zygote, "--tenant", "bench")
        warmed(load, "pool" if pool else "on demand")
        for _ in range(5):
            load(4 * WAITING, WAITING)
            time.sleep(0.5)
        load.close()
        time.sleep(2)
        sizes = {pid: pss(pid) for pid in tree(its.process.pid)}
        forked = sorted((int(stat_of(str(pid))[19]), pid) for pid in sizes if name_of(pid) == "cuvette-zygote")
    total, zygotes = sum(sizes.values()), sum(sizes[pid] for _, pid in forked)
    return Footprint(total, total - zygotes, sizes[forked[0][1]], len(forked) - 1)


# --- whole requests ---


def http(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head(f"A whole HTTP request, hello, environment known, {length.rounds('hello')} rounds in turns")
    program = programs(service, folder, ["hello"])["hello"]
    words = ["http", "--port", service.port, "--requirements", program.requirements, "--code", program.code, "--field",
             f"exclude_newer={client.DATE}"]
    with Roots(service.state, folder, program.image) as roots:
        loads = {"bare": roots.bare(program), "with lint and format": Load(*words),
                 "without lint": Load(*words, "--field", "lint=off"),
                 "cold, with lint": Load(*words, "--field", "isolation=strict"),
                 "cold, without lint": Load(*words, "--field", "isolation=strict", "--field", "lint=off")}
        for load in loads.values():
            load(WARM_RUNS)
        cpu = {way: 0.0 for way in loads}
        last = {}

        def one(way):
            def measure():
                before = cpu_of_tree(service.process.pid) if way != "bare" else 0
                last[way] = loads[way](1)
                cpu[way] += last[way]["children_cpu_s"] if way == "bare" else cpu_of_tree(service.process.pid) - before
                return last[way]["ms"][0]
            return measure

        taken = in_turns(length.rounds("hello"), {way: one(way) for way in loads})
        rates = throughput(loads, length)
        for load in loads.values():
            load.close()
    reference, spawned, rows = median(taken["bare"]), max(rates["bare"].values()), []
    for way, ms in taken.items():
        rows.append([way, percentile(ms, 10), median(ms), percentile(ms, 99), median(ms) / reference,
                     cpu[way] / (len(ms) + 1) * 1000, max(rates[way].values()), max(rates[way].values()) / spawned,
                     next((p for p, n in last[way]["paths"].items() if n), "–")])
    report.table(["request", "p10 ms", "p50 ms", "p99 ms", "p50 ÷ bare", "CPU ms", "most/s", "÷ bare's spawns/s", "path"], rows)
    report.say("")
    report.table(["requests/s by clients", *map(str, CLIENTS)],
                 [[way, *(by.get(n, "–") for n in CLIENTS)] for way, by in rates.items()])
    report.goal("whole request with lint and format: p50", median(taken["with lint and format"]) / reference, 0.4)
    report.goal("requests/s with lint, against bare's spawns", max(rates["with lint and format"].values()) / spawned, 3.0,
                least=True)


def throughput(loads: dict, length) -> dict[str, dict[int, float]]:
    rates = {way: {} for way in loads}
    for n in CLIENTS:
        for way, load in loads.items():
            if way == "bare" and n > 2 * os.cpu_count():
                continue
            answer = load(1000000, n, length.seconds)
            rates[way][n] = answer["runs"] / answer["wall_s"]
    return rates


# --- a neighbour ---

ATTACKS = {
    "forks": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n",
    "memory": "kept = []\nwhile True: kept.append(bytearray(1 << 20))\n",
    "processors": "import os\nfor _ in range(30): os.fork()\nwhile True: pass\n".replace("30", "5"),
    "output": "while True: print('x' * 4000)\n",
    "files": "i = 0\nwhile True:\n    try:\n        with open(f'/tmp/{i}', 'wb') as f: f.write(bytes(1 << 16))\n"
             "        i += 1\n    except OSError:\n        import os\n        for n in os.listdir('/tmp'): os.unlink('/tmp/' + n)\n",
    "exits": "pass\n",
}


@contextlib.contextmanager
def attacking(its: Launcher, program: Program, folder: pathlib.Path, code: str):
    """Runs of it, one after the other, in a box without the victim's environment."""
    main = folder / "attack.py"
    main.write_text(code)
    words = ["--connect", its.socket, "--image", program.image, "--file", f"main.py={main}", "--limit", "timeout=3",
             "--limit", "stdout_limit=16MiB", "--quiet", "--repeat", "100000", "--", "/usr/bin/python3.11", "main.py"]
    attacker = subprocess.Popen([HELPERS / "boxrun", *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield
        assert attacker.poll() is None, "the attack ended"
    finally:
        attacker.kill()
        attacker.wait()


def victim(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head("A victim beside an attacker: hello again and again, one client")
    program, zygote = programs(service, folder, ["hello"])["hello"], zygote_of(service.state)
    options = ["--zygote", zygote, "--tenant", "bench"] if zygote else ["--strict"]
    rows = []
    with launcher(service, folder) as its:
        load = its.load(program, *options)
        if zygote:
            warmed(load, "pool")
        for name, code in ATTACKS.items():
            alone = load(1000000, 1, length.seconds)["ms"]
            with attacking(its, program, folder, code):
                beside = load(1000000, 1, length.seconds)["ms"]
            time.sleep(0.5)
            rows.append([name, median(alone), percentile(alone, 99), median(beside), percentile(beside, 99),
                         percentile(beside, 99) / percentile(alone, 99)])
        load.close()
    report.table(["attack on", "alone p50 ms", "p99", "beside p50 ms", "p99", "p99 ÷ alone"], rows)
    report.goal("a victim's p99 beside an attacker, the worst", max(row[-1] for row in rows), 3.0)


# --- for long ---


def soak(report: Report, service, folder: pathlib.Path, length) -> None:
    """128 clients at once; what there is after 1,000 runs and after many more."""
    first, more = length.soak
    report.head(f"128 clients at once: after {first} runs and after {more}")
    program, zygote = programs(service, folder, ["hello"])["hello"], zygote_of(service.state)
    options = ["--zygote", zygote, "--tenant", "bench"] if zygote else ["--strict"]
    with launcher(service, folder, "--zygote-runs", str(10 * more)) as its:
        load = its.load(program, *options)
        seen = []
        for runs in (first, more - first):
            answer = load(runs, 128)
            time.sleep(3)
            seen.append(inventory(its))
        load.close()
    rows = [[what, seen[0][what], seen[1][what]] for what in seen[0]]
    report.table(["what there is", f"after {first}", f"after {more}"], rows)
    report.say(f"\nNo error and no lost run among {more}; {answer['runs'] / answer['wall_s']:.0f} runs/s.")
    for what in ("processes", "descriptors", "control groups", "namespaces"):
        report.goal(f"growth over {more} runs: {what}", seen[1][what] - seen[0][what], 0, "")


def inventory(its: Launcher) -> dict:
    pids = tree(its.process.pid)
    namespaces, descriptors = set(), 0
    for pid in pids:
        with contextlib.suppress(OSError):
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
            namespaces |= {os.readlink(f"/proc/{pid}/ns/{kind}") for kind in os.listdir(f"/proc/{pid}/ns")}
    groups = sum(its.instance in path for path, _, _ in os.walk("/sys/fs/cgroup"))
    slab = next(int(line.split()[1]) for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
                if line.startswith("SUnreclaim:"))
    return {"processes": len(pids), "PSS MB": sum(map(pss, pids)) / MB, "descriptors": descriptors,
            "control groups": groups, "namespaces": len(namespaces), "kernel's slab of the whole host MB": slab / 1000}
