# SPDX-License-Identifier: MIT
"""What nobody is told: by no answer a path of the host, another client's id, a stack of ours or a key; by no log line
a key, code, or what files hold. And ids of one client lead another one nowhere."""

import base64
import io
import json
import os
import re
import subprocess
import tarfile
import uuid

import httpx
import pytest

import client

CODE, FILE = "mark-of-the-code-7c1e", "mark-of-the-contents-52ab"
ENV_KEY = "mark-of-the-environments-key-9f"
STACK = re.compile(r"Traceback \(most recent|\.[ch]:\d+|#\d+ 0x|0x[0-9a-f]{8,}|Sanitizer|core dumped|sqlite|SQLITE|civetweb")


class Client:
    """One key's; keeps all that it is answered."""

    def __init__(self, service, *words):
        self.service, self.answers = service, []
        self.name = f"name-{uuid.uuid4().hex[:8]}"
        self.key = subprocess.run([client.BIN / "cuvette", "key", "create", "--state", service.state, "--name", self.name,
                                   *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
                                  check=True).stdout.strip()
        self.id = self.key.split("_")[1]
        client.wait_until(lambda: self.ask("GET", "/api/v1/runs").status_code != 401, 10, "the key is known")

    def ask(self, method, path, **options) -> httpx.Response:
        options["headers"] = {"X-API-Key": self.key, **options.get("headers", {})}
        with self.service.client() as http:
            answer = http.request(method, path, **options)
        self.answers.append(f"{method} {path} {answer.status_code}\n{dict(answer.headers)}\n{answer.text}")
        return answer

    def raw(self, data: bytes) -> None:
        answer = self.service.raw(data)
        self.answers.append(f"{data[:60]!r}\n{answer.headers}\n{answer.body.decode(errors='replace')}")

    def run(self, **fields) -> httpx.Response:
        return self.ask("POST", "/api/v1/run", json={"requirements": "# none\n", "code": f"pass  # {CODE}\n", "lint": "off",
                                                     **fields})


@pytest.fixture(scope="module")
def service():
    with client.fresh_state() as state:
        with client.Service(state, API_KEY=ENV_KEY) as running:
            running.one, running.other = Client(running), Client(running, "--scope", "run,environments,admin")
            yield running


def test_ids_of_one_client_lead_another_nowhere(service):
    one, other = service.one, service.other
    ids = [one.run().json()["run_id"], *(case["run_id"] for case in one.run(cases=[{}, {}]).json()["cases"])]
    accepted = one.run(mode="async").json()["run_id"]
    assert len({*ids, accepted}) == 4 and all(re.fullmatch("[0-9a-f]{32}", run_id) for run_id in (*ids, accepted))
    # What has been answered is kept nowhere, not for its own client either.
    for who, found in ((other, [*ids, accepted]), (one, ids)):
        for run_id in found:
            for method, suffix in (("GET", ""), ("GET", "/events"), ("DELETE", ""), ("HEAD", "")):
                answer = who.ask(method, f"/api/v1/runs/{run_id}{suffix}")
                assert answer.status_code == 404, answer.text
    client.wait_until(lambda: one.ask("GET", f"/api/v1/runs/{accepted}").json()["state"] == "done", 60, "it has ended")
    assert other.ask("GET", "/api/v1/runs").json()["runs"] == []
    assert other.ask("GET", f"/api/v1/runs?cursor={accepted}").status_code == 404
    assert accepted not in other.ask("GET", "/metrics").text


def form(**files) -> bytes:
    parts = b"".join(client.part(name, *content) for name, content in files.items())
    return client.request(parts + client.END)


def archive(name: str, kind=tarfile.REGTYPE, target="") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, len(FILE) if kind == tarfile.REGTYPE else 0
        tar.addfile(info, io.BytesIO(FILE.encode()))
    return base64.b64encode(out.getvalue()).decode()


FIELDS = [
    {"requirements": "-r /etc/passwd\n"}, {"requirements": "-e .\n"}, {"requirements": "x @ file:///etc/passwd\n"},
    {"requirements": "../../etc\n"}, {"requirements": FILE + "==1\n"}, {"requirements": FILE * 9},
    {"requirements": "--index-url https://user:" + FILE + "@127.0.0.1/simple\nx\n"}, {"requirements": "\0"},
    {"requirements": "# none\n", "requirements_files": {"../a.txt": FILE}}, {"env": "0" * 32}, {"env": "../../etc/passwd"},
    {"lock": FILE}, {"lock": "lock-version = \"1.0\"\npackages = [{name = \"x\", version = \"1\"}]\n"},
    {"python": "2.7"}, {"python": FILE}, {"exclude_newer": FILE}, {"args": [FILE, 1]}, {"timeout": FILE}, {"memory": -1},
    {"code": b"\xff".decode("latin-1") * 2, "requirements": ""}, {"code": 5}, {"code": {"base64": "=" + FILE}},
    {"files": {"../a": FILE}}, {"files": {"/etc/passwd": FILE}}, {"files": {"main.py": FILE}}, {"stdin": [FILE]},
    {"archive": {"base64": archive("../a")}}, {"archive": {"base64": archive("/etc/a")}},
    {"archive": {"base64": archive("a", tarfile.SYMTYPE, "/etc/passwd")}}, {"archive": FILE},
    {"archive": {"base64": archive("dev", tarfile.CHRTYPE)}}, {"artifacts": ["../*"]}, {"artifacts": ["["]},
    {"cases": [{"stdin": FILE}] * 65}, {"isolation": FILE}, {"output_encoding": FILE}, {"mode": FILE}, {FILE: FILE},
    {"work_size": "1k", "files": {"a.txt": FILE * 999}}, {"deterministic": FILE}, {"lint_select": FILE},
    {"files": {"a.txt": FILE}, "stdin": FILE, "args": [FILE], "artifacts": ["*"], "code": f"print(open('a.txt').read())  # {CODE}\n"},
    {"code": f"raise SystemExit({CODE!r})\n"}, {"code": f"def {CODE.replace('-', '_')}(:\n", "lint": "on"},
]


def bad_requests(who: Client, others: str) -> None:
    for fields in FIELDS:
        who.run(**fields)
        who.run(**{"mode": "async", **fields})
    for path in ("/api/v1/execute", "/execute"):
        for body in ("{", "[]", "{}", json.dumps({"code": FILE * 20000}), json.dumps({"code": 1, "language": FILE}),
                     json.dumps({"language": "python", "code": f"# {CODE}\n", "session_id": "../../etc"}),
                     json.dumps({"script": [FILE]}), json.dumps({"script": f"# {CODE}\n" * 99999}),
                     json.dumps({"code": f"# {CODE}\n", "testCases": [{"input": FILE}]})):
            who.ask("POST", path, content=body, headers={"Content-Type": "application/json"})
    jobe = "/jobe/index.php/restapi/"
    for spec in ({}, {"language_id": "c", "sourcecode": CODE}, {"language_id": "python3", "sourcecode": f"#{CODE}\n(",
                 "file_list": [["0" * 32, "../x"]]}, {"language_id": "python3", "sourcecode": FILE, "file_list": 5}):
        who.ask("POST", jobe + "runs", json={"run_spec": spec})
    who.ask("PUT", jobe + "files/" + "0" * 32, json={"file_contents": base64.b64encode(FILE.encode()).decode()})
    who.ask("HEAD", jobe + "files/../../etc/passwd")
    for path in (f"/api/v1/runs/{others}", f"/api/v1/runs/{others}/events", "/api/v1/runs/%2e%2e%2f", "/api/v1/runs?limit=x",
                 "/api/v1/runs?cursor=" + others, "/api/v1/environments/" + "0" * 32, "/docs/..%2f..%2fetc%2fpasswd",
                 "/nix-cache-info", "/" + "0" * 32 + ".narinfo", "/..", "/%00", "/%ff", "/" + "a" * 2000, "/health", "/",
                 "/api/v1/health", "/openapi.json", "/metrics"):
        for method in ("GET", "POST", "DELETE"):
            who.ask(method, path)
    who.ask("GET", "/api/v1/runs", headers={"X-API-Key": who.key[:-1] + "x"})
    who.ask("GET", "/api/v1/runs", headers={"Authorization": f"Bearer {who.key}x"})
    for raw in (b"\0\0\0\0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 4000 + b"\r\n", client.request(b"{", length=99999999),
                form(code=(FILE.encode(), "../main.py")), form(requirements=(FILE.encode(), "a.exe")),
                client.request(FILE.encode(), content_type="multipart/form-data"),
                client.request(b"5\r\nabc\r\n", headers="Transfer-Encoding: chunked\r\n"),
                client.request(b"", headers=f"X-API-Key: {who.key}\r\nX-API-Key: {who.key}\r\n")):
        who.raw(raw)


def test_no_answer_and_no_log_line_tells_what_is_not_theirs(service):
    one, other = service.one, service.other
    others = other.run(mode="async", code=f"print('{FILE}')  # {CODE}\n").json()["run_id"]
    bad_requests(one, others)
    host = [str(service.state), str(client.BIN), str(client.ROOT), "/var/tmp", "/proc/", f"/{'root'}/", "/nix/var",
            "/etc/shadow", os.uname().nodename]
    host = [place for place in host if len(place) > 3]
    secrets = [one.key, one.key.split("_", 2)[2], other.key, other.key.split("_", 2)[2], ENV_KEY]
    for answer in one.answers:
        asked = answer.partition("\n")[0]
        body = answer[len(asked):].replace(others, "" if others in asked else others)
        for never in (*host, *secrets, other.id, other.name, one.id, others):
            assert never not in body, f"`{never}` in {answer[:3000]}"
        # A program's own trouble is its own.
        found = STACK.search(body) if '"run_id"' not in body and " 200\n" not in answer else None
        assert not found, f"`{found.group()}` in {answer[:3000]}"
    for line in service.log_lines():
        entry = json.loads(line)
        for never in (*secrets, CODE, CODE.replace("-", "_"), FILE):
            assert never not in line, f"`{never}` in {line[:2000]}"
        if entry["event"] == "request":
            assert re.fullmatch("[0-9a-f]{32}", entry["request_id"]), line
            assert entry["status"] != 200 or entry["path"] != "/api/v1/run" or entry["run_id"], line
