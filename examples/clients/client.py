#!/usr/bin/env python3
"""One run by httpx: ./client.py [FOLDER] < INPUT

FOLDER has main.py and requirements.txt. Writes what the program wrote, keeps the files that
it left behind as OUT/NAME where OUT is set, and ends as the program did.
"""

import base64
import os
import pathlib
import sys
import time

import httpx

URL = os.environ.get("CUVETTE_URL", "http://127.0.0.1:8000")
KEY = os.environ.get("CUVETTE_KEY")
TRIES = 4


def run(request: dict) -> dict:
    """A full or a busy service says when to come back."""
    headers = {"X-API-Key": KEY} if KEY else {}
    with httpx.Client(base_url=URL, headers=headers, timeout=900) as client:
        for left in reversed(range(TRIES)):
            answer = client.post("/api/v1/run", json=request)
            if answer.status_code not in (429, 503) or left == 0:
                break
            time.sleep(int(answer.headers["Retry-After"]))
    if answer.status_code != 200:
        error = answer.json()["error"]
        sys.exit(f"{error['code']}: {error['message']}")
    return answer.json()


def main() -> int:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    answer = run({
        "requirements": folder.joinpath("requirements.txt").read_text(),
        "code": folder.joinpath("main.py").read_text(),
        "stdin": {"base64": base64.b64encode(sys.stdin.buffer.read()).decode()},
        "artifacts": ["*.txt"],
        "timeout": 10,
        "lint": False,
    })
    sys.stdout.write(answer["stdout"])
    sys.stderr.write(answer["stderr"])
    if "OUT" in os.environ:
        for file in answer["artifacts"]:
            # A name may have folders in it, and never leads out of them.
            path = pathlib.Path(os.environ["OUT"], file["name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(base64.b64decode(file["content"]))
    if answer["status"] not in ("success", "error"):
        print(f"ended by: {answer['status']}", file=sys.stderr)
    return answer["return_code"]


if __name__ == "__main__":
    sys.exit(main())
