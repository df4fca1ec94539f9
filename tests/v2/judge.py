# SPDX-License-Identifier: MIT
"""What the guest's lines must say. Each list here is one check a line; a line
that is missing is a failure, so a guest that dies early fails them all."""
import json
import re

MIB = 1 << 20
QUOTA = 0.5


def _quota(r, out):
    ratio = (r["cpu_user_ms"] + r["cpu_system_ms"]) / max(r["wall_ms"], 1)
    if r["status"] != "success" or "burnt" not in out:
        return f"status {r['status']}, output {out!r}"
    return None if 0.5 * QUOTA <= ratio <= 1.3 * QUOTA else f"used {ratio:.2f} CPUs with a quota of {QUOTA}"


def _want(status, output="", **fields):
    def check(r, out):
        if r["status"] != status:
            return f"status {r['status']}"
        for name, value in fields.items():
            if r[name] != value:
                return f"{name} is {r[name]}"
        return None if re.search(output, out) else f"output {out!r} lacks /{output}/"
    return check


def _memory(output=""):
    def check(r, out):
        if r["status"] != "out-of-memory":
            return f"status {r['status']}"
        if not 32 * MIB <= r["max_memory_bytes"] <= 72 * MIB:
            return f"peak is {r['max_memory_bytes']} with a limit of {64 * MIB}"
        return None if re.search(output, out) else f"output {out!r}"
    return check


def _account(r, out):
    cpu = r["cpu_user_ms"] + r["cpu_system_ms"]
    if r["status"] != "success" or not out.startswith("counted "):
        return f"status {r['status']}, output {out!r}"
    if not 48 * MIB <= r["max_memory_bytes"] <= 80 * MIB:
        return f"peak is {r['max_memory_bytes']} of a run that holds 48 MiB"
    # It computes for a second at least, on one CPU.
    return None if 950 <= cpu <= 1.2 * r["wall_ms"] else f"{cpu} ms of CPU time counted in {r['wall_ms']} ms"


def _pids(r, out):
    found = re.search(r"born (\d+) 11", out)
    if r["status"] != "success" or not found:
        return f"status {r['status']}, output {out!r}"
    return None if 8 <= int(found.group(1)) < 24 else f"{found.group(1)} children with a limit of 24"


CASES = {
    "success": _want("success", "^42", exit_code=0),
    "error": _want("error", "^before", exit_code=3),
    "sealed": _want("success", r"^sealed 0 1 2 [1-9] [0-9]+ 1000 1"),
    "account": _account,
    "memory": _memory(),
    "memory-child": _memory(),
    "memory-tmp": _memory(),
    "pids": _pids,
    "cpu-quota": _quota,
    "cpu-time": _want("timeout", cpu_timeout=True),
    "wall": _want("timeout", "^asleep", cpu_timeout=False),
    "output": _want("output-limit", "^flood", stdout_truncated=True),
    "killed": _want("killed", signal=9),
    "daemon": _want("success", "^main is done"),
    # Root's launcher asks for a hierarchy without controllers, for the sake of `favordynmods`.
    "nothing-of-before": _want("success", r"^clean \[\] \[\] True \[('\d+:name=cuvette:/', )?'0::/'\]"),
}
WAYS = ("cold", "zygote", "pool")
# Under the run's filter alone, or under its zygote's as well.
FILTERS = {"cold": "1", "zygote": "2", "pool": "2"}
LAYERS = ("namespaces", "root", "proc", "privileges", "seccomp", "uid-separation", "cgroup-memory", "cgroup-pids", "cgroup-cpu")


def _case(name, lines, check):
    """One case: its client's exit status, its result, and that nothing was left."""
    out = next((line.split(" ", 2)[2] for line in lines if line.startswith(f"stdout {name} ")), "")
    result = next((line.split(" ", 2)[2] for line in lines if line.startswith(f"result {name} ")), "")
    trouble = next((line[-400:] for line in lines if line.startswith(f"stderr {name} ")), "")
    if not result.strip():
        return "no result " + trouble
    try:
        fields = json.loads(result)
    except ValueError:
        return f"not a result: {result[:200]}"
    if "status" not in fields:
        return f"refused: {result[:300]}"
    way = name.split(":")[1]
    if fields["path"] != way:
        return f"it took the path {fields['path']}: {fields['why_cold']}"
    if out.startswith("sealed ") and out.split()[4] != FILTERS[way]:
        return f"{out.split()[4]} filters instead of {FILTERS[way]}"
    return check(fields, out)


def _server(name, lines):
    """The launcher ended in order, and its one zygote served all."""
    line = next((line for line in lines if line.startswith(f"launcher {name} ")), "no word of it")
    log = next((line for line in lines if line.startswith(f"log {name} ")), "")
    return None if line == f"launcher {name} exit 0 zygotes 1" else f"{line}; {log}"


def _left(name, lines, mounts):
    line = next((line for line in lines if line.startswith(f"left {name} ")), None)
    if line is None:
        return "the guest did not look"
    want = f"left {name} processes=0 cgroups=0 instances=0 mounts={mounts}"
    return None if line == want else f"{line} instead of {want}"


def _layers(who, lines, degraded):
    wrong = []
    for layer in LAYERS:
        want = "degraded" if layer in degraded else "ok"
        if not any(line.startswith(f"layer {who} {layer}: {want}") for line in lines):
            wrong.append(next((line for line in lines if line.startswith(f"layer {who} {layer}:")), f"{layer}: not told"))
    return "; ".join(wrong) or None


def judge(lines, why) -> list:
    """[(name, what was wrong or None)]."""
    start = next((line for line in lines if line.startswith("left start ")), "left start mounts=0")
    mounts = start.rpartition("=")[2]
    results = [
        ("the guest ran to its end", why or (None if "end" in lines else "it ended early")),
        ("kernel is Debian's", None if any(re.match(r"kernel \d\S*-cloud-amd64", line) for line in lines) else "no word of it"),
        ("control groups are version 2 only", None if "cgroups 0 1" in lines else "no such line"),
        ("all layers as root", _layers("root", lines, ())),
    ]
    for who in ("root", "user"):
        if who == "user":
            results.append(("all layers but uid-separation as a user", _layers("user", lines, ("uid-separation",))))
        for way in WAYS:
            for case, check in CASES.items():
                name = f"{who}:{way}:{case}"
                results.append((name, _case(name, lines, check)))
                if way == "cold":
                    results.append((f"{name}: nothing left", _left(name, lines, mounts)))
            if way != "cold":
                results.append((f"{who}:{way}: one zygote serves all", _server(f"{who}:{way}", lines)))
                results.append((f"{who}:{way}: nothing left", _left(f"{who}:{way}", lines, mounts)))
    for way in ("cold", "zygote"):
        results.append((f"a crash in a box, {way}", _case(f"root:{way}:crash", lines, _want("killed", signal=6))))
    results.append(("a crash in a box does not call the host's core handler",
                    "the handler does not work outside either" if "core outside 1" not in lines
                    else None if "core box 0" in lines else "it was called"))
    for way, makers in (("cold", 0), ("zygote", 1)):
        doomed = next((line for line in lines if line.startswith(f"left doomed:{way} ")), "no line")
        held = " processes=0 " in doomed and f"stdout doomed:{way} asleep {makers}" in lines
        results.append((f"launcher killed in a {way} run: no process lives on", None if held else doomed))
        results.append((f"launcher killed in a {way} run: the next one clears", _left(f"after-doomed:{way}", lines, mounts)))
    return results


def judge_escape(lines, why, paths) -> list:
    """The suite's own verdicts; each way must have come to its end."""
    told = [line.removeprefix("escape ") for line in lines if line.startswith("escape ")]
    results = [("the guest ran to its end", why or (None if "end" in lines else "it ended early"))]
    for line in told:
        if found := re.match(r"(not ok|ok) - (.*)", line):
            results.append((found.group(2), "see what it says" if found.group(1) == "not ok" else None))
    for path in paths:
        summary = next((line for line in told if re.match(rf"# \d+ hostile programs \[{path}\]", line)), "")
        results.append((f"the suite came to its end [{path}] {summary}", None if summary else " | ".join(told[-5:]) or "it said nothing"))
    return results
