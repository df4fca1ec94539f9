# SPDX-License-Identifier: MIT
"""Wheels that are not what their names say, the whole way from an index: each fails with
a reason, leaves nothing behind, and is served as soon as it is mended. What the installer
refuses in detail is in test_install.py."""
import io
import json
import os
import struct
import warnings
import zipfile

from helpers import ask, nix, physical
from served import wheel

DATE = ("--exclude-newer", "2024-09-01")
SITE = "lib/python3.11/site-packages"


def asked(state, index, text, *options):
    [answer] = ask(state, text, *DATE, *options, env={"UV_DEFAULT_INDEX": index.index, "NETRC": "/dev/null"})
    return answer


def rebuilt(made, more=(), without="", method=zipfile.ZIP_STORED):
    """The same wheel with more files, (name, bytes) or (ZipInfo, bytes), and without one."""
    file, data, metadata = made
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", method) as new:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that are there already
            for info in old.infolist():
                if not (without and info.filename.endswith(without)):
                    new.writestr(info, old.read(info))
            for name, content in more:
                new.writestr(name, content, compress_type=method)
    return file, out.getvalue(), metadata


def lying(made, size, times=1):
    """The directory promises this many bytes for a file that has a thousand."""
    names = [f"promise{n}.bin" for n in range(times)]
    file, data, metadata = rebuilt(made, [(name, bytes(1000)) for name in names], method=zipfile.ZIP_DEFLATED)
    for name in names:
        at = data.rindex(name.encode()) - 46  # its entry in the directory
        data = data[:at + 24] + struct.pack("<L", size) + data[at + 28:]
    return file, data, metadata


def other_bytes(change):
    return lambda made: (made[0], change(made[1]), made[2])


# Name: (how a good one is spoiled, what is said of it).
BAD = {
    "no-zip": (other_bytes(lambda data: b"this is no archive" * 100), "not a zip"),
    "cut": (other_bytes(lambda data: data[:-40]), ""),
    "above": (lambda made: rebuilt(made, [("../../../../../up.py", b"x")]), "a file of the name"),
    "absolute": (lambda made: rebuilt(made, [("/etc/cuvette-was-here", b"x")]), "a file of the name"),
    "twice": (lambda made: rebuilt(made, [("bad_twice.py", b"x")]), "twice"),
    "elsewhere": (lambda made: rebuilt(made, [("bad_elsewhere-1.0.data/root/etc/x", b"x")]), "root"),
    "over-a-folder": (lambda made: rebuilt(made, [("bad_over_a_folder-1.0.data/data/lib", b"x")]), "twice"),
    "two-infos": (lambda made: rebuilt(made, [("other-1.0.dist-info/METADATA", b"Name: other\n")]), "dist-info"),
    "no-record": (lambda made: rebuilt(made, without="/RECORD"), "RECORD"),
    "promises": (lambda made: lying(made, 4000), "damaged"),
    "bomb": (lambda made: lying(made, 0xFFFFFFF0, times=2), "unpacks to more than"),
}


def left_of(state, name):
    """Store paths of a package, its wheels too; a build that failed may leave none."""
    return [path for path in os.listdir(state / "nix/nix/store")
            if name in path and not path.endswith((".whl", ".lock", ".drv", ".drv.chroot"))]


def test_wheels_that_are_not_what_they_say(state, index):
    good = asked(state, index, "# nothing\n")
    seen = {}
    for name, (spoil, said) in BAD.items():
        project = f"bad-{name}"
        index.add(spoil(wheel(project)))
        failure = asked(state, index, f"{project}\n").get("failure", {"code": "none", "message": ""})
        text = json.dumps(failure)
        right = failure["code"] == "build-failed" and said in text and str(state) not in text and "Traceback" not in text
        seen[name] = "" if right else text
        seen[name] += str(left_of(state, project) or "") + str(os.listdir(state / "nix/tmp") or "")
    assert {name: what for name, what in seen.items() if what} == {}
    assert not os.path.exists("/etc/cuvette-was-here")
    nix(state, "nix-store", "--verify", "--check-contents")
    assert asked(state, index, "# nothing\n")["cached"] and good["digest"]
    # And each is installed once it is right, none from what was there before.
    for name in BAD:
        index.projects[f"bad-{name}"].clear()
        index.add(wheel(f"bad-{name}"))
    names = sorted(f"bad-{name}" for name in BAD)
    mended = asked(state, index, "".join(f"{name}\n" for name in names))
    assert mended.get("packages") == [f"{name} 1.0" for name in names], mended


def test_names_over_the_environments_own(state, index):
    """Scripts and data may have any name; the environment's own files are not theirs."""
    name = "over-own"
    own = {"scripts/python3": b"#!/bin/sh\necho mine\n", "scripts/python": b"#!python\n", "data/pyvenv.cfg": b"home = /tmp\n",
           "data/bin/python3.11": b"x", "data/cuvette.json": b"{}", "scripts/activate": b"x"}
    index.add(rebuilt(wheel(name), [(f"over_own-1.0.data/{path}", data) for path, data in own.items()]))
    answer = asked(state, index, f"{name}\n")
    assert "failure" not in answer, answer
    folder = physical(state, answer["env"])
    for program in ("python", "python3", "python3.11"):
        link = folder / "bin" / program
        assert link.is_symlink() and "python3" in os.readlink(link), program
        assert "over-own" not in os.readlink(link) and "mine" not in os.readlink(link)
    assert "/tmp" not in (folder / "pyvenv.cfg").read_text()
    assert json.loads((folder / "cuvette.json").read_text())["closure"] == answer["closure"]


def test_links_and_cases_and_a_record_that_is_wrong(state, index):
    """What other tools install is installed: a link as the text that it is, names that
    differ in case as two files; and a RECORD lists what is there, whatever it said."""
    name = "odd-one"
    link = zipfile.ZipInfo("odd_one_link.py", (2024, 1, 1, 0, 0, 0))
    link.create_system, link.external_attr = 3, 0o120777 << 16
    record = b"odd_one.py,sha256=AAAA,1\nnot/there.py,sha256=BBBB,2\n../../../../etc/passwd,,\n\"open\n"
    made = rebuilt(wheel(name), [(link, b"/etc/passwd"), ("Odd_One.py", b"UPPER = 1\n"), ("odd_one-1.0.dist-info/RECORD", record)],
                   without="/RECORD")
    index.add(made)
    answer = asked(state, index, f"{name}\n")
    assert "failure" not in answer, answer
    site = physical(state, next(path for path in answer["closure"] if "odd-one" in path)) / SITE
    assert not (site / "odd_one_link.py").is_symlink() and (site / "odd_one_link.py").read_text() == "/etc/passwd"
    assert (site / "Odd_One.py").read_text() == "UPPER = 1\n" and "VERSION" in (site / "odd_one.py").read_text()
    rows = [line.partition(",")[0] for line in (site / "odd_one-1.0.dist-info/RECORD").read_text().splitlines()]
    assert all((site / row).exists() for row in rows) and "../../../../etc/passwd" not in rows
    assert {"odd_one.py", "Odd_One.py", "odd_one_link.py"} <= set(rows)


def test_metadata_that_is_missing_or_another_packages(state, index):
    for name, (file, data, _) in {"no-metadata": rebuilt(wheel("no-metadata"), without="/METADATA"),
                                  "liar": wheel("liar")}.items():
        told = wheel("another")[2] if name == "liar" else b""
        index.add((file, data, told))
        failure = asked(state, index, f"{name}\n").get("failure")
        assert failure and failure["code"] == "build-failed" and failure["line"] == 1, (name, failure)
        assert left_of(state, name) == []


DEEP = {"minus": b"x = " + b"-" * 200_000 + b"1\n", "calls": b"x = a" + b"()" * 100_000 + b"\n",
        "lambdas": b"x = " + b"lambda:" * 50_000 + b"1\n", "powers": b"x = 1" + b"**a" * 100_000 + b"\n",
        "elifs": b"if 1:\n pass\n" + b"elif 1:\n pass\n" * 20_000, "number": b"x = " + b"9" * 4_000_000 + b"\n",
        "braces": b"{" * 99 + b"x:\n", "nul": b"x = 1\0\n", "coding": b"# coding: none-such\n", "large": b"#" * (5 << 20)}


def test_sources_that_blow_up_the_compiler(state, index):
    """They are not compiled, and the other modules are."""
    index.add(rebuilt(wheel("deep"), [(f"deep_{name}.py", text) for name, text in DEEP.items()], method=zipfile.ZIP_DEFLATED))
    answer = asked(state, index, "deep\n")
    assert "failure" not in answer, answer
    site = physical(state, next(path for path in answer["closure"] if path.endswith("-deep-1.0"))) / SITE
    assert [path.name for path in (site / "__pycache__").iterdir()] == ["deep.cpython-311.pyc"]
    assert all((site / f"deep_{name}.py").stat().st_size == len(text) for name, text in DEEP.items())


def test_sources_that_take_for_ever(state, index):
    text = b"".join(b"x%d = %d\n" % (n, n) for n in range(150_000))
    index.add(rebuilt(wheel("endless"), [(f"endless_{n}.py", text) for n in range(8)], method=zipfile.ZIP_DEFLATED))
    failure = asked(state, index, "endless\n", "--build-ms", "2000").get("failure")
    assert failure and failure["code"] == "build-timeout", failure
    assert left_of(state, "-endless-") == [] and os.listdir(state / "nix/tmp") == []
    # The folder that it was built in is nobody's, and goes with the next collection.
    nix(state, "nix-store", "--gc")
    assert not [name for name in os.listdir(state / "nix/nix/store") if "-endless-" in name]
