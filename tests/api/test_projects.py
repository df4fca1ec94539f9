# SPDX-License-Identifier: MIT
# tests/run: seconds=900
"""Small real projects give, byte for byte, what installing their requirements into
a venv and `python main.py` give on this machine's Python of the same version."""

import os
import pathlib
import re
import shutil
import subprocess

import client
import pytest

PROJECTS = sorted(p for p in (pathlib.Path(__file__).parent / "projects").iterdir() if p.is_dir())
PYTHON = "/usr/bin/python3"


def install(project: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The usual way, by uv for its speed: same resolver date, wheels only."""
    cache = client.suite_state().parent / "reference-wheels"
    environment = {**os.environ, "UV_CACHE_DIR": str(cache), "UV_NO_CONFIG": "1", "UV_LINK_MODE": "copy"}
    uv = [client.tool("uv"), "--quiet", "--no-progress"]
    subprocess.run([*uv, "venv", "--python", PYTHON, folder / "venv"], check=True, env=environment, timeout=300)
    subprocess.run([*uv, "pip", "install", "--python", folder / "venv/bin/python", "--only-binary", ":all:",
                    "--exclude-newer", client.DATE, "-r", project / "requirements.txt"], check=True, env=environment,
                   timeout=400)
    return folder / "venv/bin/python"


def reference(project: pathlib.Path, folder: pathlib.Path) -> subprocess.CompletedProcess:
    python = install(project, folder)
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    shutil.copy(project / "main.py", work)
    environment = {"HOME": str(home), "PATH": f"{python.parent}:/usr/bin:/bin", "LANG": "C.UTF-8",
                   "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return subprocess.run([python, "main.py"], cwd=work, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=300)


def without_folders(text: str) -> str:
    """Tracebacks name files by where they lie; only that may differ."""
    return re.sub(r'File "[^"]*?(main\.py|site-packages/[^"]*|lib/python3\.11/[^"]*)"', r'File "\1"', text)


@pytest.mark.parametrize("project", PROJECTS, ids=[p.name for p in PROJECTS])
def test_a_real_project_gives_what_a_venv_gives(service, project, tmp_path):
    version = "import platform; print(platform.python_version())\n"
    theirs = subprocess.run([PYTHON, "-c", version], capture_output=True, text=True, check=True).stdout.strip()
    ours = service.answer(version)["stdout"].strip()
    if theirs != ours:
        pytest.skip(f"this machine's python3 is {theirs}, the image's {ours}")
    expected = reference(project, tmp_path)
    code = (project / "main.py").read_text()
    answer = service.answer(code, (project / "requirements.txt").read_text(), exclude_newer=client.DATE, timeout="120",
                            memory="1GiB")
    assert answer["stdout"] == expected.stdout.decode(), expected.stderr.decode()
    assert without_folders(answer["stderr"]) == without_folders(expected.stderr.decode())
    assert answer["return_code"] == expected.returncode
