# SPDX-License-Identifier: MIT
# tests/run: seconds=2400
"""Schemathesis over the whole document against a real service: whatever it thinks of, no 5xx, and
no answer that is not documented. The same cases each time; in `make check-full` more, and others."""

import os
import pathlib
import random
import subprocess

import pytest

import client
from runner import pinned
from test_keys import create

HERE = pathlib.Path(__file__).resolve().parent / "schemathesis"
FULL = os.environ.get("CUVETTE_TEST_FULL") == "1"
BUILD = pathlib.Path(os.environ.get("CUVETTE_BUILD", "build")).resolve()
# Left out: that what fits the schema must be taken. Our checks know more than a schema can say.
CHECKS_OFF = "positive_data_acceptance"


@pytest.fixture(scope="module")
def tool():
    return pinned.install(HERE / "requirements.txt", BUILD)


def search(tool, service, key, folder, *options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CUVETTE_")}
    environment |= {"PYTHONPATH": str(tool), "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "NO_PROXY": "*"}
    command = ["/usr/bin/python3", "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run",
               f"{service.url}/openapi.json", "--checks", "all",
               "--exclude-tag", "share",  # where it is off there is nothing; tests/nixenv/test_sharing.py has it on
               "--exclude-checks", CHECKS_OFF, "--header", f"X-API-Key: {key}", "--request-timeout", "60",
               # Not more: Python 3.11 can't parse in two threads at once, and then it is no answer of ours.
               "--workers", "1", "--max-response-time", "300",
               "--no-color", "--continue-on-failure", *options]
    return subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=2000)


def test_what_is_generated_as_wrong_is_sent_as_wrong(tool):
    code = "import hooks; print([hooks.map_body(None, {'timeout': t})['timeout'] for t in (31, 15.5, 0, True, '9', 2, 15)])"
    asked = subprocess.run(["/usr/bin/python3", "-B", "-c", code], env=os.environ | {"PYTHONPATH": f"{tool}:{HERE}"},
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert asked.stdout == "[31, 1.5, 0, True, '9', 2, 1]\n", asked.stderr


def test_whatever_is_sent_is_answered_as_documented(tool, tmp_path):
    seed = random.randrange(1 << 32) if FULL else 6
    with client.fresh_state() as state:
        _, key = create(state, "--scope", "run,environments,admin")
        with client.Service(state) as running:
            found = search(tool, running, key, tmp_path, "--max-examples", "200" if FULL else "4", "--seed", str(seed))
            assert found.returncode == 0, f"seed {seed}\n{found.stdout[-20000:]}\n{found.stderr[-2000:]}"
            assert running.healthy()
