# SPDX-License-Identifier: MIT
"""What is in the image: the interpreter and all its modules, and nothing that should not be there."""
import json
import os
import stat
import subprocess

import pytest

from helpers import IMAGES, image_python, physical, skip

MODULES = ("ssl sqlite3 ctypes lzma zlib bz2 decimal hashlib _hashlib uuid _uuid readline curses curses.panel dbm.ndbm "
           "multiprocessing.synchronize _posixsubprocess xml.etree.ElementTree pyexpat asyncio venv "
           "tomllib zoneinfo mmap resource termios unicodedata pydoc_data.topics unittest.mock").split()
# Which one of them alone has.
MORE = {"3.11": "distutils.core lib2to3.pgen2.driver crypt".split(), "3.13": "_sha2 _interpreters".split()}


@pytest.fixture(scope="module", params=IMAGES)
def python(request):
    return request.param


@pytest.fixture(scope="module")
def image(python):
    return physical(IMAGES[python]["path"])


def everything(image):
    for folder, names, files in os.walk(image):
        for name in names + files:
            path = os.path.join(folder, name)
            yield path, os.lstat(path)


def test_the_interpreter_has_its_modules(python, image):
    done = image_python("import importlib, sys\n"
                        f"for name in {MODULES + MORE[python]!r}: importlib.import_module(name)\n"
                        "import decimal, ssl; print(sys.version_info[:2], ssl.OPENSSL_VERSION, decimal.__libmpdec_version__)",
                        image, python)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"({python.replace('.', ', ')}) OpenSSL 3.")


def test_every_extension_module_loads(python, image):
    code = ("import glob, importlib, os, sys\n"
            f"folder = os.path.join(sys.prefix, 'lib/python{python}/lib-dynload')\n"
            "names = sorted(os.path.basename(f).split('.')[0] for f in glob.glob(folder + '/*.so'))\n"
            "assert len(names) > 30, names\n"
            "bad = []\n"
            "for name in names:\n"
            "  try: importlib.import_module(name)\n"
            "  except ImportError as e: bad.append(str(e))\n"
            "print(len(names), bad)\n")
    done = image_python(code, image, python)
    assert done.returncode == 0, done.stderr
    # Debian ships the nis module in the base package, its library as a recommendation.
    assert done.stdout.split(maxsplit=1)[1].strip() in ("[]", "['libnsl.so.2: cannot open shared object file: No such "
                                                        "file or directory']"), done.stdout


def test_no_bytecode_is_missing_and_none_looks_at_times(python, image):
    sources = [p for p, _ in everything(image / f"usr/lib/python{python}") if p.endswith(".py")]
    assert len(sources) > 400
    for source in sources:
        folder, name = os.path.split(source)
        with open(os.path.join(folder, "__pycache__", f"{name[:-3]}.cpython-{python.replace('.', '')}.pyc"), "rb") as file:
            header = file.read(16)
        # Flags: hash-based (1), unchecked (not 2).
        assert header[4:8] == b"\x01\0\0\0", source


def test_bytecode_names_its_sources_as_in_a_box(python, image):
    compiled = f"usr/lib/python{python}/json/__pycache__/decoder.cpython-{python.replace('.', '')}.pyc"
    code = ("import json, marshal, sys\n"
            f"data = open({str(image / compiled)!r}, 'rb').read()\n"
            "print(marshal.loads(data[16:]).co_filename)")
    done = image_python(code, image, python)
    assert done.stdout.strip() == f"/usr/lib/python{python}/json/decoder.py", done.stderr


def test_nothing_is_written_when_it_runs(python, image):
    before = sorted(path for path, _ in everything(image / "usr/lib"))
    assert image_python("import json, asyncio, email", image, python).returncode == 0
    assert sorted(path for path, _ in everything(image / "usr/lib")) == before


def test_only_files_folders_and_links_with_plain_modes(image):
    for path, found in everything(image):
        kind = stat.S_IFMT(found.st_mode)
        assert kind in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK), path
        assert not found.st_mode & (stat.S_ISUID | stat.S_ISGID), path


def test_links_are_relative_stay_inside_and_lead_somewhere(image):
    links = [path for path, found in everything(image) if stat.S_ISLNK(found.st_mode)]
    assert len(links) > 20
    for path in links:
        target = os.readlink(path)
        assert not target.startswith("/"), (path, target)
        real = os.path.realpath(path)
        assert real.startswith(f"{image}/") and os.path.exists(real), (path, target)


def test_top_folders_are_merged(python, image):
    for name in ("bin", "sbin", "lib", "lib64"):
        assert os.readlink(image / name) == f"usr/{name}"
    assert (image / "lib64/ld-linux-x86-64.so.2").exists()
    assert os.access(image / "bin/sh", os.X_OK)
    assert os.readlink(image / "usr/bin/python3") == f"python{python}"


def test_mount_points_are_there_and_empty(image):
    for name in ("nix/store", "proc", "dev", "sys", "run", "tmp", "box", "home/cuvette"):
        assert os.listdir(image / name) == [], name


def test_users_and_look_ups(image):
    users = {line.split(":")[0]: line.split(":") for line in (image / "etc/passwd").read_text().splitlines()}
    assert set(users) == {"root", "cuvette", "nobody"}
    assert users["cuvette"][2:6:3] == ["1000", "/home/cuvette"] and users["cuvette"][3] == "1000"
    assert "cuvette:x:1000:" in (image / "etc/group").read_text().splitlines()
    assert "hosts: files" in (image / "etc/nsswitch.conf").read_text().splitlines()
    assert (image / "etc/resolv.conf").read_bytes() == b""


def test_certificates_are_all_in_the_bundle(python, image):
    ones = list((image / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    bundle = (image / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert len(ones) > 100 and bundle.count("BEGIN CERTIFICATE") == len(ones)
    code = (f"import ssl; c = ssl.create_default_context(cafile={str(image / 'usr/lib/ssl/cert.pem')!r});"
            "print(c.cert_store_stats()['x509_ca'])")
    assert image_python(code, image, python).stdout.strip() == str(len(ones))


@pytest.mark.parametrize("name", ["usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian",
                                  "usr/lib/python{}/test", "usr/share/zoneinfo/right", "boot", "usr/include"])
def test_what_no_run_needs_is_left_out(python, image, name):
    assert not (image / name.format(python)).exists()


def test_documentation_is_licences_only(python, image):
    kept = [path for path, found in everything(image / "usr/share/doc") if stat.S_ISREG(found.st_mode)]
    assert {os.path.basename(path) for path in kept} == {"copyright"}
    assert len(kept) > 15
    for deb in IMAGES[python]["debs"]:
        assert (image / "usr/share/doc" / deb["package"]).exists(), deb["package"]


def test_as_a_root_folder(image):
    """In place, as a box sees it: locale, time zone, shell, no prefix from outside."""
    if os.geteuid() != 0:
        skip("chroot needs root")
    code = ("import json, locale, os, subprocess, sys, time, zoneinfo; print(json.dumps([sys.prefix, sys.executable,"
            "locale.setlocale(locale.LC_ALL, ''), time.tzname[0], len(zoneinfo.available_timezones()) > 500,"
            "subprocess.run('echo $0', shell=True, capture_output=True, text=True).stdout,"
            "os.path.expanduser('~cuvette'), sys.stdout.encoding]))")
    done = subprocess.run(["/usr/sbin/chroot", "--userspec=1000:1000", image, "/usr/bin/python3", "-c", code], timeout=250,
                          capture_output=True, text=True, env={"LANG": "C.UTF-8", "PATH": "/usr/bin"}, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["/usr", "/usr/bin/python3", "C.UTF-8", "UTC", True, "/bin/sh\n", "/home/cuvette",
                                       "utf-8"]
