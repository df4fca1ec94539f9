# SPDX-License-Identifier: MIT
"""cuvette env export, import: a run on a machine that has no network."""

import json
import os

import shell

SIX = "six==1.16.0\n"
NOWHERE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "https_proxy": "http://127.0.0.1:9",
           "http_proxy": "http://127.0.0.1:9"}


def env(state, *words, status=0, **more):
    done = shell.cuvette("env", words[0], "--state", state, *words[1:], **more)
    assert done.returncode == status, done.stderr
    return done


def test_from_one_state_folder_to_another(state, folder):
    made = json.loads(env(state, "build", "-r", shell.requirements(SIX), "--exclude-newer", shell.DATE, "--json").stdout)
    file = shell.scratch() / "six.tar.zst"
    assert env(state, "export", "--quiet", made["digest"], file).stdout == "" and file.stat().st_size > 5000
    assert os.listdir(file.parent) == [file.name], "nothing half written stays"
    assert env(folder, "show", made["digest"], status=1).stdout == ""
    done = env(folder, "import", file, **NOWHERE)
    assert done.stdout == made["digest"] + "\n"
    assert done.stderr.splitlines()[-2:] == ["building 2", "ready"]
    run = shell.cuvette("run", "--state", folder, "--env", made["digest"],
                        shell.program("import six; print(six.__version__)"), **NOWHERE)
    assert (run.returncode, run.stdout) == (0, "1.16.0\n"), run.stderr
    assert "six" in env(folder, "lock", made["digest"]).stdout
    again = json.loads(env(folder, "import", "--json", file, **NOWHERE).stdout)
    assert again["digest"] == made["digest"] and again["packages"] == ["six 1.16.0"]


def test_words_and_files_that_are_none(state):
    folder = shell.scratch()
    (folder / "none").write_bytes(b"none at all")
    assert "can't be read" in env(state, "import", folder / "none", status=2).stderr
    assert "can't be read" in env(state, "import", folder / "missing", status=2).stderr
    assert "takes one file" in env(state, "import", status=2).stderr
    assert "takes a digest" in env(state, "export", "nothing", folder / "out", status=2).stderr
    assert "no environment" in env(state, "export", "0" * 32, folder / "out", status=1).stderr
    assert "can't be written" in env(state, "export", "0" * 32, folder / "no/out", status=2).stderr
    assert os.listdir(folder) == ["none"]
