# SPDX-License-Identifier: MIT
"""Files that go with `cuvette run`, and those that come back."""

import json
import os
import tarfile

import pytest

import shell

CODE = """\
import os, pathlib
for p in sorted(pathlib.Path(".").rglob("*")):
    if p.is_file() and p.name != "main.py": print(p, p.read_text())
pathlib.Path("out/deep").mkdir(parents=True)
pathlib.Path("out/deep/a.txt").write_text("made")
pathlib.Path("plot.png").write_bytes(b"\\x89PNG\\r\\n\\x1a\\n")
os.symlink("/etc/passwd", "link.png")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    state = shell.suite_state()
    main = tmp_path_factory.mktemp("files") / "main.py"
    main.write_text(CODE)
    return lambda *words, **options: shell.cuvette("run", "--state", state, *words, main, **options)


def test_there_and_back(run, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.txt").write_text("1")
    (tmp_path / "b").write_text("2")
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as t:
        t.add(tmp_path / "b", "packed/b")
    out = tmp_path / "there"
    done = run("--file", "sub/a.txt", "--file", tmp_path / "b", "--file", "x/y=./b", "--archive", "c.tar.gz", "--artifact",
               "*.png", "--artifact", "out/**", "--out", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "b 2\npacked/b 2\nsub/a.txt 1\nx/y 2\n"
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()) == ["out/deep/a.txt", "plot.png"]
    assert (out / "out/deep/a.txt").read_text() == "made"
    assert "link.png left out: a link" in done.stderr


def test_nothing_is_written_elsewhere(run, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir(), other.mkdir()
    (other / "plot.png").write_text("mine")
    (out / "plot.png").symlink_to(other / "plot.png")
    (out / "out").symlink_to(other)
    done = run("--artifact", "*.png", "--out", out)
    assert done.returncode == 0 and (other / "plot.png").read_text() == "mine" and not (out / "plot.png").is_symlink()
    done = run("--artifact", "out/**", "--out", out)
    assert done.returncode != 0 and "can't be written" in done.stderr and os.listdir(other) == ["plot.png"]


def test_as_json(run):
    answer = json.loads(run("--json", "--artifact", "plot.png").stdout)
    assert [(a["name"], a["media_type"], a["content"]) for a in answer["artifacts"]] == [
        ("plot.png", "image/png", "iVBORw0KGgo=")]


@pytest.mark.parametrize("words, said", [
    (("--artifact", "/etc/*", "--out", "x"), "is not a pattern"), (("--artifact", "*.png"), "--out DIR"),
    (("--file", "nowhere"), "can't be read"), (("--file", "/etc"), "--archive"),
    (("--file", "../x=/etc/hostname"), "can't be the name"), (("--archive", "/etc/hostname"), "can't be unpacked"),
    (("--file", "main.py=/etc/hostname"), "the program itself")])
def test_what_can_not_be(run, words, said):
    done = run(*words)
    assert done.returncode == 2 and said in done.stderr, done.stderr
