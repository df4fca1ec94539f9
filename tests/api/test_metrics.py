# SPDX-License-Identifier: MIT
"""GET /metrics: what is counted, by counting what is done; who may ask; the dashboard."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import signal
import time

import client
from test_keys import create

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="[^"\\]*",?)*)\})? (\S+)')


def read(answer) -> dict:
    """{(name, frozenset of labels): value}, and that each name was introduced before."""
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found, types = {}, {}
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in types
            types[name] = kind
        elif not line.startswith("#"):
            name, labels, value = LINE.fullmatch(line).groups()
            base = re.sub("_(bucket|sum|count)$", "", name)
            assert name in types or types[base] == "histogram", line
            key = (name, frozenset(re.findall(r'([a-z_]+)="([^"]*)"', labels or "")))
            assert key not in found, line
            found[key] = float(value)
    assert all(kind != "counter" or name.endswith("_total") for name, kind in types.items())
    return found


class Counted:
    """What a block added to each value."""

    def __init__(self, service):
        self.service = service

    def settled(self) -> dict:
        """A request is counted just after its answer, and so is what it held."""
        last = {}

        def same() -> bool:
            nonlocal last
            time.sleep(0.05)
            before, last = last, read(self.service.get("/metrics"))
            counts = [{key: value for key, value in values.items() if key[0] in ("cuvette_runs_total", "cuvette_requests_total")
                       and dict(key[1]).get("operation") != "getMetrics"} for values in (before, last)]
            return before and counts[0] == counts[1] and last["cuvette_runs_running", frozenset()] == 0

        client.wait_until(same, 20, "all is counted")
        return last

    def __enter__(self):
        self.before = self.settled()
        return self

    def __exit__(self, *_):
        self.after = self.settled()

    def __call__(self, name, **labels) -> float:
        key = (name, frozenset(labels.items()))
        return self.after.get(key, 0) - self.before.get(key, 0)

    def all(self, name, **labels) -> float:
        return sum(value - self.before.get(key, 0) for key, value in self.after.items()
                   if key[0] == name and labels.items() <= dict(key[1]).items())


@client.one_good_of(3, told=False)
def test_runs_are_counted_by_how_they_ended(service):
    service.answer("pass\n")
    with Counted(service) as counted:
        for code in ("print(1)\n", "print(2)\n", "raise SystemExit(3)\n"):
            service.answer(code)
        service.answer("while True: pass\n", timeout=1, lint="off")
    assert counted.all("cuvette_runs_total", dialect="native", status="success") == 2
    assert counted.all("cuvette_runs_total", dialect="native", status="error") == 1
    assert counted.all("cuvette_runs_total", status="timeout") == 1
    assert counted.all("cuvette_runs_total") == counted.all("cuvette_run_seconds_count") == 4
    assert counted.all("cuvette_run_seconds_sum") >= 1
    latency = [counted("cuvette_run_latency_seconds_count", dialect="native", status=status)
               for status in ("success", "error", "timeout")]
    assert latency == [2, 1, 1]
    assert counted.all("cuvette_run_latency_seconds_sum") >= counted.all("cuvette_run_seconds_sum")
    assert counted("cuvette_requests_total", operation="run", status="200") == 4
    assert counted("cuvette_request_seconds_count", operation="run") == 4
    assert counted("cuvette_environments_total", result="known") == 4
    assert counted("cuvette_lint_total", state="skipped") == 1
    assert counted("cuvette_lint_total", state="done") + counted("cuvette_lint_total", state="unavailable") == 3
    assert counted("cuvette_output_bytes_total") == 4
    assert counted("cuvette_request_bytes_total") > 4 * 100
    assert counted.after[("cuvette_runs_running", frozenset())] == 0


@client.one_good_of(3)
def test_runs_are_counted_by_whose_words_they_were_asked_in(service):
    with Counted(service) as counted, service.client() as http:
        assert http.post("/api/v1/execute", json={"code": "print(1)"}).json()["stdout"] == "1\n"
        assert http.post("/execute", json={"code": "print(1)"}).json()["output"] == "1\n"
        spec = {"language_id": "python3", "sourcecode": "print(1)"}
        assert http.post("/jobe/index.php/restapi/runs", json={"run_spec": spec}).json()["stdout"] == "1\n"
    assert [counted.all("cuvette_runs_total", dialect=name) for name in ("execute", "cases", "jobe", "native")] == [1, 1, 1, 0]


def test_runs_that_are_answered_later_are_counted_as_they_come_and_end(service):
    with Counted(service) as counted, service.client() as http:
        def begin(**fields) -> str:
            answer = http.post("/api/v1/run", json={"code": "print(1)\n", "lint": "off", "mode": "async",
                                                    "timeout": client.RUN_SECONDS, **fields})
            assert answer.status_code == 202, answer.text
            return answer.json()["status_url"]

        def state(url) -> str:
            return http.get(url).json()["state"]

        runs = [begin(requirements="# none\n"), begin(requirements="# none\n"), begin(env="0" * 32)]
        client.wait_until(lambda: {state(url) for url in runs} <= {"done", "failed"}, 60, "they have ended")
        slow = begin(requirements="# none\n", code="import time\ntime.sleep(50)\n", timeout=60)
        assert http.delete(slow).json()["state"] == "cancelled"
    assert counted("cuvette_runs_later_accepted_total") == 4
    assert [counted("cuvette_runs_later_ended_total", state=state) for state in ("done", "failed", "cancelled")] == [2, 1, 1]
    # One that was cancelled may have begun before.
    assert 3 <= counted("cuvette_queue_seconds_count") <= 4
    assert counted.after["cuvette_runs_waiting", frozenset()] == counted.after["cuvette_runs_later", frozenset()] == 0


def now(service, name) -> float:
    return read(service.get("/metrics"))[name, frozenset()]


def test_zygotes_and_what_waits_in_them_are_told(service):
    client.wait_until(lambda: service.answer("print(1)\n", lint="off")["path"] != "cold", 60, "there is a zygote")
    # Launcher and builder are asked once a second.
    client.wait_until(lambda: now(service, "cuvette_zygotes") >= 1, 20, "it is told")
    client.wait_until(lambda: now(service, "cuvette_pool") + now(service, "cuvette_boxes_ready") >= 1, 20, "boxes wait")
    assert now(service, "cuvette_zygotes_warmed_total") >= now(service, "cuvette_zygotes") >= 1
    assert now(service, "cuvette_box_queue") == 0


def keeper_of(mark: str) -> int | None:
    parents = client._parents()
    for pid in client.processes_with(mark):
        while pid in parents:
            pid = parents[pid][0]
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text() == "cuvette-keeper\n":
                    return pid
    return None


def test_a_run_whose_keeper_died_is_a_fault_of_the_launchers(service):
    mark = client.new_mark()
    with Counted(service) as counted, concurrent.futures.ThreadPoolExecutor(1) as pool:
        before = now(service, "cuvette_launcher_faults_total")
        run = pool.submit(service.run, client.marked(mark, "import time\ntime.sleep(250)\n"), timeout=280, lint="off",
                          isolation="strict")
        client.wait_until(lambda: keeper_of(mark), 60, "it runs")
        os.kill(keeper_of(mark), signal.SIGKILL)
        assert run.result().status_code == 500
    client.wait_until(lambda: now(service, "cuvette_launcher_faults_total") == before + 1, 20, "it is told")
    assert counted("cuvette_runs_failed_total", dialect="native", code="internal") == 1


def test_histograms_are_cumulative_and_end_with_all(service):
    values = read(service.get("/metrics"))
    for name, labels in [key for key in values if key[0].endswith("_count")]:
        base = name.removesuffix("_count") + "_bucket"
        steps = sorted((float(dict(key[1])["le"]), value) for key, value in values.items()
                       if key[0] == base and labels == key[1] - {("le", dict(key[1])["le"])})
        counts = [value for _, value in steps]
        assert counts == sorted(counts) and steps[-1] == (float("inf"), values[name, labels]), name


def test_errors_are_counted_by_code(service):
    with Counted(service) as counted:
        assert service.run("print(1)\n", python="2.7").status_code == 422
        assert service.run("print(1)\n", "not-a-name==\n").status_code == 422
        assert service.get("/nowhere").status_code == 404
        assert service.raw(b"no HTTP at all\r\n\r\n").status in (400, None)
    assert counted("cuvette_errors_total", code="field-invalid") == 1
    assert counted("cuvette_errors_total", code="requirement-invalid") == 1
    assert counted("cuvette_errors_total", code="not-found") == 1
    assert counted("cuvette_requests_total", operation="other", status="404") == 1
    assert counted("cuvette_requests_total", operation="run", status="422") == 2
    assert counted.all("cuvette_runs_total") == 0


def test_an_environment_that_is_made_is_counted(service):
    with Counted(service) as counted:
        answer = service.answer("print(1)\n", "idna==3.6\n", exclude_newer=client.DATE, lint="off")
    result = "known" if answer["environment"]["cached"] else "made"
    assert counted("cuvette_environments_total", result=result) == 1
    assert counted.all("cuvette_environments_total") == 1
    assert counted("cuvette_environment_build_seconds_count") == (result == "made")
    with Counted(service) as counted:
        assert service.run("print(1)\n", "idna==0.0.0.1\n").status_code == 422
    assert counted.all("cuvette_runs_failed_total", dialect="native") == 1


def test_how_the_service_is(service):
    values, health = read(service.get("/metrics")), service.get("/health").json()
    queue, sandbox = health["components"]["queue"], health["components"]["sandbox"]
    assert values["cuvette_up", frozenset()] == 1
    assert values["cuvette_info", frozenset({("version", health["version"])})] == 1
    assert values["cuvette_runs_places", frozenset()] == queue["running_max"]
    assert values["cuvette_boxes_max", frozenset()] == sandbox["boxes_max"]
    for layer in sandbox["layers"]:
        assert values["cuvette_layer_up", frozenset({("layer", layer["layer"])})] == (layer["state"] == "ok")
    # One that does not answer within two seconds is down for one.
    client.wait_until(lambda: read(service.get("/metrics"))["cuvette_part_up", frozenset({("part", "builder")})] == 1, 60,
                      "the builder is there")
    assert values["cuvette_manager_cpu_seconds_total", frozenset()] > 0


def test_who_may_ask():
    with client.fresh_state() as state:
        (_, runs), (_, admin) = create(state, "--scope", "run"), create(state, "--scope", "admin")
        with client.Service(state) as running:
            assert running.get("/metrics").status_code == 401
            assert running.get("/metrics", headers={"X-API-Key": runs}).status_code == 403
            text = running.get("/metrics", headers={"Authorization": f"Bearer {admin}"}).text
            assert "cuvette_up 1" in text and admin not in text and str(state) not in text


def queries(node):
    if isinstance(node, dict):
        if "expr" in node:
            yield node["expr"]
        yield from (query for value in node.values() for query in queries(value))
    elif isinstance(node, list):
        yield from (query for value in node for query in queries(value))


def test_the_dashboard_asks_for_what_there_is(service):
    service.answer("print(1)\n")
    text = service.get("/metrics").text
    names = {}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        names |= {name + end: kind for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
    asked = list(queries(json.loads((client.ROOT / "docs/grafana-dashboard.json").read_text())))
    assert len(asked) >= 10
    used = {name for query in asked for name in re.findall(r"cuvette_\w+", query)}
    assert used <= set(names), used - set(names)
    labels = set(re.findall(r'([a-z_]+)="', text))
    for query in asked:
        for group in re.findall(r"by \(([^)]*)\)", query):
            assert set(re.split(r", *", group)) <= labels, query
        for name in re.findall(r"(?:rate|increase)\((cuvette_\w+)", query):
            assert names[name] != "gauge", query


def test_the_manual_names_each_metric(service):
    manual = (client.ROOT / "docs/metrics.md").read_text()
    for name in re.findall(r"^# TYPE (\S+)", service.get("/metrics").text, re.M):
        assert f"`{name}" in manual, name
    for name in set(re.findall(r"`(cuvette_\w+)", manual)):
        assert f"# TYPE {name} " in service.get("/metrics").text, name
