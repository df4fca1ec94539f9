# SPDX-License-Identifier: MIT
"""A service that has keys, and its clients by one: what tests of environments' routes start from."""

import contextlib
import os
import subprocess
import uuid

import client
from client import DATE

PATH = "/api/v1/environments"


def cuvette(state, *words):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CUVETTE_") and k != "API_KEY"}
    done = subprocess.run([client.BIN / "cuvette", *words[:2], "--state", state, *words[2:]],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Key:
    """One client of the service, by a key of its own."""

    def __init__(self, service, scope="run,environments"):
        self.service = service
        text = cuvette(service.state, "key", "create", "--name", f"k-{uuid.uuid4().hex[:8]}", "--scope", scope)
        self.headers = {"X-API-Key": text.strip()}
        client.wait_until(lambda: self.get(PATH).status_code != 401, 60, "the key is known")

    def get(self, path):
        return self.service.get(path, headers=self.headers)

    def delete(self, digest):
        with self.service.client() as http:
            return http.delete(f"{PATH}/{digest}", headers=self.headers)

    def post(self, path, **options):
        with self.service.client() as http:
            return http.post(path, headers=self.headers, **options)

    def build(self, requirements="# none\n", **fields):
        files = [("requirements", ("requirements.txt", requirements.encode(), "text/plain"))]
        return self.post(PATH, files=files, data={"exclude_newer": DATE, **fields})

    def built(self, requirements="# none\n", **fields):
        answer = self.build(requirements, mode="sync", **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, digest):
        return self.post("/api/v1/run", json={"env": digest, "code": "print('ran')\n", "lint": False,
                                               "timeout": client.RUN_SECONDS})

    def listed(self):
        answer = self.get(PATH)
        assert answer.status_code == 200, answer.text
        return {e["digest"]: e for e in answer.json()["environments"]}


def error_of(response, status=404):
    assert response.status_code == status, response.text
    return response.json()["error"]


@contextlib.contextmanager
def running():
    """A service on a state of its own, which nobody may use without a key."""
    with client.fresh_state() as state:
        cuvette(state, "key", "create", "--name", "first")
        with client.Service(state) as service:
            yield service
