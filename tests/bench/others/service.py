# SPDX-License-Identifier: MIT
"""What most services that run Python are, to be measured beside: FastAPI, a folder for each request, the interpreter
and ruff as processes. It takes the form of POST /api/v1/run, keeps nothing apart, and trusts everybody."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import fastapi

RUFF = os.environ["RUFF"]
app = fastapi.FastAPI()


def ruff(code: bytes, *words: str) -> str:
    return subprocess.run([RUFF, *words, "-"], input=code, capture_output=True, check=False).stdout.decode()


@app.post("/api/v1/run")
def run(code: fastapi.UploadFile, requirements: fastapi.UploadFile, lint: str = fastapi.Form("on")) -> dict:
    text = code.file.read()
    requirements.file.read()  # it has them all
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "main.py").write_bytes(text)
        done = subprocess.run([sys.executable, "-I", "main.py"], cwd=folder, capture_output=True, timeout=10, check=False)
    answer = {"stdout": done.stdout.decode(errors="replace"), "stderr": done.stderr.decode(errors="replace"),
              "return_code": done.returncode, "status": "error" if done.returncode else "success"}
    if lint != "off":
        answer["formatted_code"] = ruff(text, "format", "--isolated", "--no-cache")
        answer["lint_warnings"] = json.loads(ruff(text, "check", "--isolated", "--no-cache", "--exit-zero",
                                                  "--output-format=json"))
    return answer
