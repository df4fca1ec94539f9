# SPDX-License-Identifier: MIT
"""The installer by itself, on wheels made here: what it writes and what it refuses."""
import base64
import csv
import hashlib
import importlib.util
import io
import os
import random
import struct
import subprocess
import sys
import zipfile

import pytest
from helpers import RECIPES

SITE = "lib/python%d.%d/site-packages" % sys.version_info[:2]
INFO = "demo-1.0.dist-info"
BASE = {
    "demo/__init__.py": "def main():\n    return 0\n",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


def make_wheel(path, files, record=True, method=zipfile.ZIP_DEFLATED, modes=None):
    rows = []
    with zipfile.ZipFile(path, "w", method) as wheel:
        for name, text in files.items():
            data = text if isinstance(text, bytes) else text.encode()
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = (modes or {}).get(name, 0o644) << 16
            wheel.writestr(info, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append((name, f"sha256={digest}", len(data)))
        if record:
            rows.append((f"{INFO}/RECORD", "", ""))
            table = io.StringIO()
            csv.writer(table, lineterminator="\n").writerows(rows)
            wheel.writestr(f"{INFO}/RECORD", table.getvalue())
    return path


def install(tmp_path, wheel, package="demo"):
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-BPSs", "-Wignore", str(RECIPES / "install.py")],
                          env={"out": str(out), "package": package, "wheel": str(wheel), "PYTHONHASHSEED": "0"},
                          capture_output=True, text=True, check=False)
    return out, done


def installed(tmp_path, files, **how):
    out, done = install(tmp_path, make_wheel(tmp_path / "demo.whl", files, **how))
    assert done.returncode == 0, done.stderr
    return out


def refused(tmp_path, wheel, package="demo"):
    _, done = install(tmp_path, wheel, package)
    assert done.returncode != 0
    assert done.stderr.startswith(f"cuvette: the wheel of {package} can't be installed: "), done.stderr
    return done.stderr


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_arrive_as_they_are(tmp_path, method):
    rng = random.Random(7)
    data = {f"demo/data{n}.bin": rng.randbytes(n) for n in (0, 1, 65535, 1 << 20, (1 << 20) + 1, 3_000_001)}
    data["demo/zeros.bin"] = bytes(5_000_000)
    data["demo/ünï.txt"] = "grüße"
    out = installed(tmp_path, {**BASE, **data}, method=method)
    for name, content in data.items():
        wanted = content if isinstance(content, bytes) else content.encode()
        assert (out / SITE / name).read_bytes() == wanted, name


def test_layout(tmp_path):
    files = {
        **BASE,
        f"{INFO}/entry_points.txt": "[console_scripts]\ndemo = demo:main\nother-tool=demo.sub : Cls.run [extra]\n"
                                    "[gui_scripts]\ndemo-gui=demo:main\n[else]\nnot = here:at.all\n",
        f"{INFO}/RECORD.jws": "{}",
        "demo-1.0.data/scripts/hand": "#!python\nprint(1)\n",
        "demo-1.0.data/purelib/pure.py": "x = 1\n",
        "demo-1.0.data/platlib/plat.py": "x = 2\n",
        "demo-1.0.data/headers/demo.h": "int x;\n",
        "demo-1.0.data/data/share/demo/a.txt": "a\n",
        "demo/__pycache__/__init__.cpython-311.pyc": b"not ours",
        "demo/tests/test_a.py": "y = 1\n",
        "demo/template.py": "def {{ name }}(:\n",
        "demo/run.sh": "#!/bin/sh\n",
    }
    out = installed(tmp_path, files, modes={"demo/run.sh": 0o755})
    tag = sys.implementation.cache_tag
    assert (out / "bin/demo").read_text().startswith("#!python\nimport sys\nfrom demo import main\n")
    assert "from demo.sub import Cls" in (out / "bin/other-tool").read_text()
    assert "sys.exit(Cls.run())" in (out / "bin/other-tool").read_text()
    assert sorted(p.name for p in (out / "bin").iterdir()) == ["demo", "demo-gui", "hand", "other-tool"]
    assert all(os.access(p, os.X_OK) for p in (out / "bin").iterdir())
    assert (out / SITE / "pure.py").exists() and (out / SITE / "plat.py").exists()
    assert (out / SITE / f"__pycache__/pure.{tag}.pyc").exists()
    assert (out / f"include/site/python{sys.version_info[0]}.{sys.version_info[1]}/demo/demo.h").exists()
    assert (out / "share/demo/a.txt").read_text() == "a\n"
    assert os.access(out / SITE / "demo/run.sh", os.X_OK) and not os.access(out / SITE / "pure.py", os.X_OK)
    assert (out / SITE / INFO / "INSTALLER").read_text() == "cuvette\n"
    assert not (out / SITE / INFO / "RECORD.jws").exists()
    assert not (out / SITE / "demo/tests/__pycache__").exists()
    assert sorted(p.name for p in (out / SITE / "demo/__pycache__").iterdir()) == [f"__init__.{tag}.pyc"]
    rows = list(csv.reader((out / SITE / INFO / "RECORD").open()))
    assert rows == sorted(rows) and all((out / SITE / row[0]).exists() for row in rows)
    assert [row[2] for row in rows if row[0] == "demo/__init__.py"] == [str(len(BASE["demo/__init__.py"]))]
    assert "../../../bin/demo" in [row[0] for row in rows]


def test_byte_code_is_unchecked_and_the_same_twice(tmp_path):
    many = {f"demo/m{n}.py": f"a = {{'x', 'y', 'z{n}'}}\ndef f():\n    return {n}\n" for n in range(150)}
    trees = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        out = installed(tmp_path / folder, {**BASE, **many})
        os.rename(out, tmp_path / "out") if not trees else None
        trees.append(out)
    data = (tmp_path / f"out/{SITE}/demo/__pycache__/m3.{sys.implementation.cache_tag}.pyc").read_bytes()
    assert data[:4] == importlib.util.MAGIC_NUMBER and struct.unpack("<L", data[4:8])[0] == 1
    first = {p.relative_to(tmp_path / "out"): len(p.read_bytes()) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    second = {p.relative_to(trees[1]): len(p.read_bytes()) for p in trees[1].rglob("*") if p.is_file()}
    assert first == second and len([p for p in first if p.suffix == ".pyc"]) == 151


BAD_NAMES = ["/abs.py", "../up.py", "demo/../../up.py", "demo//x.py", "demo\\x.py", "demo/a\nb.py", "./x.py",
             "demo/" + "n" * 256, "d/" * 600 + "x"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(tmp_path, name):
    assert "a file of the name" in refused(tmp_path, make_wheel(tmp_path / "demo.whl", {**BASE, name: "x"}))
    assert not (tmp_path / "up.py").exists()


def test_data_folder_stays_inside(tmp_path):
    wheel = make_wheel(tmp_path / "demo.whl", {**BASE, "demo-1.0.data/elsewhere/x": "x"})
    assert "elsewhere" in refused(tmp_path, wheel)


@pytest.mark.parametrize("missing, said", [
    (f"{INFO}/WHEEL", "Wheel-Version"), (f"{INFO}/RECORD", "no RECORD"),
])
def test_missing_metadata(tmp_path, missing, said):
    files = {name: text for name, text in BASE.items() if name != missing}
    assert said in refused(tmp_path, make_wheel(tmp_path / "demo.whl", files, record=not missing.endswith("RECORD")))


def test_other_package_and_version_of_the_format(tmp_path):
    assert "it is a wheel of demo" in refused(tmp_path, make_wheel(tmp_path / "demo.whl", BASE), "requests")
    files = {**BASE, f"{INFO}/WHEEL": "Wheel-Version: 2.0\n"}
    (tmp_path / "other").mkdir()
    assert "Wheel-Version" in refused(tmp_path / "other", make_wheel(tmp_path / "other/demo.whl", files))


def test_two_of_the_same(tmp_path):
    files = {**BASE, "x.py": "1", "demo-1.0.data/purelib/x.py": "2"}
    assert "twice" in refused(tmp_path, make_wheel(tmp_path / "demo.whl", files))


@pytest.mark.parametrize("line", ["a = demo:main; import os", "../a = demo:main", "a/b = demo:main", "a = demo",
                                  "a = demo:1x", "= demo:main"])
def test_bad_entry_points(tmp_path, line):
    files = {**BASE, f"{INFO}/entry_points.txt": f"[console_scripts]\n{line}\n"}
    assert "entry point" in refused(tmp_path, make_wheel(tmp_path / "demo.whl", files))


def test_damaged_files(tmp_path):
    """Every cut and many flipped bits: installed right, or refused, never anything else."""
    good = make_wheel(tmp_path / "good.whl", {**BASE, "demo/data.txt": "hello " * 400}).read_bytes()
    rng = random.Random(11)
    cases = [good[:n] for n in range(0, len(good), 61)]
    for _ in range(60):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        cases.append(bytes(data))
    cases.append(b"")
    cases.append(b"PK\5\6" + bytes(18))
    accepted = 0
    for n, data in enumerate(cases):
        folder = tmp_path / str(n)
        folder.mkdir()
        (folder / "demo.whl").write_bytes(data)
        out, done = install(folder, folder / "demo.whl")
        if done.returncode == 0:
            accepted += 1
            assert (out / SITE / "demo/__init__.py").exists()
        else:
            assert "can't be installed: " in done.stderr and "Traceback" not in done.stderr, (n, done.stderr)
    assert accepted < len(cases) / 2


def test_a_lying_size(tmp_path):
    """The directory says less than the file unpacks to."""
    path = make_wheel(tmp_path / "demo.whl", {**BASE, "demo/big.bin": bytes(9_000_000)})
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<L", 9_000_000), struct.pack("<L", 900)))
    assert "damaged" in refused(tmp_path, path)
