# SPDX-License-Identifier: MIT
"""Hostile packages the whole way: as wheels of an index that this test is, resolved,
downloaded, installed and imported by a service's zygotes, beside another environment.

The many that hostile_packages has are put into a store by hand; these few show that
what arrives as a wheel ends the same way, through every part."""
import base64
import hashlib
import http.server
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

import pytest

sys.path[:0] = map(str, pathlib.Path(__file__).resolve().parents[:2])
from runner import lateness  # noqa: E402
from suite import packages, program as programs, senders  # noqa: E402

NAMES = ["import_hangs", "import_aborts", "keeps_threads", "fork_hangs_in_child", "lies_garbage", "changes_hooks"]
UPLOADED = "2024-01-01T00:00:00Z"
DATE = "2024-09-01T00:00:00Z"
SETTLE_RUNS = 6
TRIES = 10  # of what has to be quick: a machine may stand still for a while
WARM_S = 60
STAYS = 10  # runs of the other one afterwards
ROUNDS = 3  # where the machine stood still
STILL_S = 1.0
PLAIN = "print('answered')\n"


def distribution(name: str) -> str:
    return "cuvette-hostile-" + name.replace("_", "-")


def make_wheel(name: str) -> tuple:
    """(file name, bytes): the package under a name of its own, `hostile` inside."""
    project = distribution(name).replace("-", "_")
    info = f"{project}-1.0.dist-info"
    files = {"hostile/__init__.py": packages.load([name])[0].text,
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution(name)}\nVersion: 1.0\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    rows, out = [], io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{path},sha256={digest},{len(text.encode())}\n")
        wheel.writestr(f"{info}/RECORD", "".join(rows) + f"{info}/RECORD,,\n")
    return f"{project}-1.0-py3-none-any.whl", out.getvalue()


class Index:
    """A package index on the loopback, in the JSON form of the simple API."""

    def __init__(self, names: list):
        wheels = {distribution(name): make_wheel(name) for name in names}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                part = self.path.strip("/").split("/")
                if part[0] == "simple" and len(part) == 2 and part[1] in wheels:
                    self.answer(self.page(part[1]), "application/vnd.pypi.simple.v1+json")
                elif part[0] == "files" and (data := [d for f, d in wheels.values() if f == part[-1]]):
                    self.answer(data[0], "application/octet-stream")
                else:
                    self.send_error(404)

            def page(self, project: str) -> bytes:
                file, data = wheels[project]
                entry = {"filename": file, "url": f"http://{self.headers['Host']}/files/{file}", "size": len(data),
                         "hashes": {"sha256": hashlib.sha256(data).hexdigest()}, "upload-time": UPLOADED, "yanked": False}
                return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "versions": ["1.0"], "files": [entry]}).encode()

            def answer(self, data: bytes, kind: str):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Sender(senders.OwnService):
    """With requirements, which the programs of the catalogue never have."""

    def run(self, code: str, requirements: str = "# none\n", **limits) -> dict:
        program = programs.Program("package", code, limits={"timeout": "60", **limits})
        fields = [("requirements", "requirements.txt", requirements.encode()), ("code", "main.py", program.source().encode()),
                  ("exclude_newer", None, DATE.encode()), ("args", None, b'["a", "b"]')]
        fields += [(k, None, v.encode()) for k, v in program.limits.items()]
        return self.post(fields)


@pytest.fixture(scope="module")
def service():
    if not os.environ.get("CUVETTE_TEST_STATE"):
        pytest.skip("no state folder was given (run it by tests/run)")
    index = Index(NAMES)
    settings = {"UV_DEFAULT_INDEX": index.url, "UV_INDEX_URL": index.url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    sender = Sender(pathlib.Path(os.environ["CUVETTE_BIN"]).resolve(), os.environ["CUVETTE_TEST_STATE"], environment=settings)
    sender.run(PLAIN)
    yield sender
    sender.close()
    index.close()
    assert packages.left_on_the_machine() == []


def check(answer: dict) -> None:
    assert (answer.get("status"), answer.get("stderr")) == ("success", ""), answer
    assert answer["stdout"].endswith("answered\n") and "HOLE" not in answer["stdout"], answer


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_wheel(service, name):
    requirements = distribution(name) + "==1.0\n"
    paths, took, neighbours = [], [], []

    def run():
        since = time.monotonic()
        answer = service.run(packages.ANSWER, requirements)
        check(answer)
        paths.append(answer["path"])
        took.append(time.monotonic() - since)

    def neighbour(pause: float):
        check(answer := service.run(PLAIN))
        assert answer["environment"]["packages"] == [], answer
        neighbours.append(answer["path"])
        time.sleep(pause)

    def settle():
        for _ in range(SETTLE_RUNS - 1):
            for _ in range(TRIES):
                run()
                if took[-1] < packages.RUN_S + 1:
                    break
            assert took[-1] < packages.RUN_S + 1, (paths, took)
            neighbour(0.3)
        for _ in range(STAYS):
            neighbour(0.1)

    get_warm(service)
    for n in range(ROUNDS):
        neighbours.clear()
        with lateness.Watch() as watch:
            if n == 0:
                run()
            settle()
        # A zygote that was lost because the machine stood still is back some ten seconds later.
        cold = neighbours.count("cold")
        print(f"{name}: {cold} of {len(neighbours)} cold beside it, {watch.longest:.2f} s of standing still")
        if cold <= len(neighbours) // 3:
            break
        assert watch.longest > STILL_S, f"a hostile environment made another one cold: {neighbours}"
        get_warm(service)
    assert cold <= len(neighbours) // 2, f"a hostile environment made another one cold each time: {neighbours}"
    assert paths[0] == "cold", paths


def get_warm(service):
    until = time.monotonic() + WARM_S
    while service.run(PLAIN)["path"] == "cold":
        assert time.monotonic() < until, "a hostile environment keeps another one cold"
        time.sleep(0.3)
