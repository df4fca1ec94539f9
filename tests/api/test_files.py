# SPDX-License-Identifier: MIT
"""Files that come with a run: `files`, and `archive` in each of its formats; and those
that are refused."""

import base64
import gzip
import io
import json
import lzma
import tarfile
import zipfile

import pytest

LIST = """\
import os
for folder, below, names in os.walk("."):
    for name in names:
        path = os.path.join(folder, name)[2:]
        print(path, os.stat(path).st_mode & 0o777, open(path, "rb").read())
"""


def send(service, files=(), archive=None, code=LIST, archive_name="a.zip", **fields):
    parts = [("requirements", ("requirements.txt", b"# none\n")), ("code", ("main.py", code.encode()))]
    parts += [("files", (name, data)) for name, data in files]
    if archive is not None:
        parts.append(("archive", (archive_name, archive)))
    return service.post(parts, {"lint": "off", **fields})


def listed(service, **options) -> list[str]:
    response = send(service, **options)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["return_code"] == 0, answer["stderr"]
    return sorted(line for line in answer["stdout"].splitlines() if not line.startswith("main.py "))


def refused(service, code="file-refused", **options) -> str:
    response = send(service, **options)
    assert response.status_code in (400, 413, 422), response.text
    error = response.json()["error"]
    assert error["code"] == code, error
    return error["message"]


# --- files ---


@pytest.mark.parametrize("isolation", ["strict", "auto"])
def test_files_lie_beside_main(service, isolation):
    for _ in range(3):  # cold, then from a zygote, then from the pool
        assert listed(service, isolation=isolation, files=[
            ("data.csv", b"1,2\n"), ("pkg/sub/x.txt", b"x"), ("empty", b""), ("ü ñ.txt", b"u")]) == [
            "data.csv 420 b'1,2\\n'", "empty 420 b''", "pkg/sub/x.txt 420 b'x'", "ü ñ.txt 420 b'u'"]


def test_modules_can_be_imported(service):
    code = "import helper, pkg.deep\nprint(helper.X + pkg.deep.Y)\n"
    files = [("helper.py", b"X = 1\n"), ("pkg/__init__.py", b""), ("pkg/deep.py", b"Y = 2\n")]
    for _ in range(3):
        assert send(service, files=files, code=code).json()["stdout"] == "3\n"


def test_a_file_comes_before_a_module_that_a_zygote_has(service):
    """As in a plain run: what lies beside main.py is found first."""
    code = "import json\nprint(getattr(json, 'MINE', None))\n"
    for _ in range(3):
        assert send(service, files=[("json/__init__.py", b"MINE = 1\n")], code=code).json()["stdout"] == "1\n"


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../x", "a//b", "./a", "a/", "a\\b", "x" * 256,
                                  "/".join("d" * 17), "main.py"])
def test_names_that_lead_elsewhere(service, name):
    refused(service, files=[(name, b"")])


def test_the_same_name_twice(service):
    refused(service, "field-duplicate", files=[("a", b"1"), ("a", b"2")])
    refused(service, files=[("a", b"1"), ("a/b", b"2")])
    refused(service, files=[("a", b"1")], archive=zipped({"a": b"2"}))


def test_files_that_do_not_fit(service):
    big = b"x" * (2 << 20)
    assert "work_size" in refused(service, "limit-exceeded", files=[("big", big)], work_size="1MiB")
    refused(service, "limit-exceeded", files=[(f"f{i}", b"") for i in range(20)], work_inodes="10")
    # Folders that nobody has counted before.
    refused(service, "limit-exceeded", files=[("/".join("abcdefghijkl"), b"")], work_inodes="8")


# --- archives ---


def zipped(members: dict, **options) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return out.getvalue()


def tarred(members, mode="w", **options) -> bytes:
    """members: names and contents, or TarInfo."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, **options) as t:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def special(name, kind, link="") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


MEMBERS = {"data/x.csv": b"1\n", "ünï.txt": b"u", "run.sh": b"#!/bin/sh\n"}
EXPECTED = ["data/x.csv 420 b'1\\n'", "run.sh 420 b'#!/bin/sh\\n'", "ünï.txt 420 b'u'"]


# The same members, as `zstd -19` packs them.
ZSTD = base64.b64decode(
    "KLUv/QRodQUAkgcaHaA5B3MjAAATbcu2669Zh/UmbI/Omu3NgFoIhI8M0zb6LC0QYPxzPC2jUeXog3Pct9lBj77NpopSlTFbQqu4i+Pf3fvP1Wmk"
    "k1ypII01xoDjn6tsG/EXvwHGn8/vTBDwLFmG3SZbNgEZIGClnIIdBSiXHrDvr56x6jCC9wBMeV8AVDamukRkAMkBiSaOfYLqCkvlA+gGAOwSU9VX"
    "3RwlwTShQ8yccFCA2cTnkZoUYw==")


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz", "tar.zst", "pax", "gnu"])
def test_formats(service, kind):
    members = MEMBERS.items()
    archive = {"zip": lambda: zipped(MEMBERS), "tar": lambda: tarred(members),
               "tar.gz": lambda: tarred(members, "w:gz"), "tar.xz": lambda: tarred(members, "w:xz"),
               "tar.zst": lambda: ZSTD,
               "pax": lambda: tarred(members, format=tarfile.PAX_FORMAT),
               "gnu": lambda: tarred(members, format=tarfile.GNU_FORMAT)}[kind]()
    assert listed(service, archive=archive, archive_name=f"a.{kind}") == EXPECTED


def test_folders_leading_dots_and_modes(service):
    script = tarfile.TarInfo("./bin/tool")
    script.mode = 0o4755
    archive = tarred([(special(".", tarfile.DIRTYPE), b""), (special("./bin/", tarfile.DIRTYPE), b""),
                      (script, b"t"), (special("empty", tarfile.DIRTYPE), b"")])
    assert listed(service, archive=archive) == ["bin/tool 493 b't'"]
    code = "import os; print(os.path.isdir('empty'))"
    assert send(service, archive=archive, code=code).json()["stdout"] == "True\n"


def test_files_and_an_archive_together(service):
    assert listed(service, files=[("a", b"1")], archive=zipped({"b": b"2"})) == ["a 420 b'1'", "b 420 b'2'"]


@pytest.mark.parametrize("name", ["/abs", "../up", "a/../../up", "a\\b", "main.py"])
def test_archived_names_that_lead_elsewhere(service, name):
    if "\\" not in name:  # zips of Windows have them, and mean folders
        refused(service, archive=zipped({name: b"x"}))
    refused(service, archive=tarred([(name, b"x")]))


def test_backslashes_in_a_zip(service):
    assert listed(service, archive=zipped({"a\\b": b"x"})) == ["a/b 420 b'x'"]
    refused(service, archive=zipped({"..\\b": b"x"}))


@pytest.mark.parametrize("kind, link", [(tarfile.SYMTYPE, "/etc/passwd"), (tarfile.SYMTYPE, "a"), (tarfile.LNKTYPE, "a"),
                                        (tarfile.FIFOTYPE, ""), (tarfile.CHRTYPE, ""), (tarfile.BLKTYPE, "")])
def test_what_is_no_file(service, kind, link):
    refused(service, "archive-invalid", archive=tarred([("a", b""), (special("l", kind, link), b"")]))


def test_a_link_in_a_zip(service):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        info = zipfile.ZipInfo("l")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        z.writestr(info, "/etc/passwd")
    refused(service, "archive-invalid", archive=out.getvalue())


def test_names_that_are_no_utf8(service):
    archive = tarred([("ab", b"x")], format=tarfile.USTAR_FORMAT)
    head = bytearray(archive[:512])
    head[0:2] = b"\xff\xfe"
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head)
    response = send(service, archive=bytes(head) + archive[512:])
    assert response.json()["error"]["code"] in ("file-refused", "archive-invalid"), response.text


def test_the_same_name_twice_in_an_archive(service):
    refused(service, archive=tarred([("a", b"1"), ("a", b"2")]))
    refused(service, archive=tarred([("a", b"1"), ("a/b", b"2")]))
    refused(service, archive=tarred([("a/b", b"2"), ("a", b"1")]))


def test_bombs(service):
    # 100 MiB of zeros in 100 KiB; many files; a deep one; one that says more than it has
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        with z.open("zeros", "w", force_zip64=True) as f:
            for _ in range(100):
                f.write(b"\0" * (1 << 20))
    assert "200 times" in refused(service, "too-large", archive=out.getvalue())
    refused(service, "too-large", archive=tarred([(f"f{i}", b"") for i in range(5000)], "w:gz"))
    # What is not read would be unpacked all the same, to come to what follows.
    folder = special("d", b"D")
    folder.size = 64 << 20
    assert "bytes of its own" in refused(service, "archive-invalid", archive=gzip.compress(
        folder.tobuf(tarfile.GNU_FORMAT) + bytes(folder.size)))
    refused(service, archive=zipped({"d/" * 40 + "x": b""}))
    nested = lzma.compress(tarred([("a", b"x")], "w:gz"))
    refused(service, "archive-invalid", archive=nested)


@pytest.mark.parametrize("archive", [b"", b"PK\x05\x06" + b"\0" * 17, b"not an archive at all", b"\x1f\x8b\x08\0broken",
                                     zipped(MEMBERS)[:60], tarred(MEMBERS.items(), "w:gz")[:60]])
def test_what_is_no_archive(service, archive):
    refused(service, "archive-invalid", archive=archive)


def test_an_encrypted_zip(service):
    archive = bytearray(zipped({"a": b"secret"}))
    archive[6] |= 1
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    refused(service, "archive-invalid", archive=bytes(archive))


def test_the_service_is_well_afterwards(service):
    assert service.answer("print(1)")["stdout"] == "1\n"
    assert json.dumps(service.get("/health").json()["status"]) == '"healthy"'
