# SPDX-License-Identifier: MIT
"""The unpacker and packages that are not as they should be."""
import gzip
import io
import lzma
import os
import stat
import subprocess
import tarfile
import zipfile

import pytest

from helpers import unpack


def ar(members):
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data
        out += b"\n" if len(data) % 2 else b""
    return out


def member(name, content=b"", kind=tarfile.REGTYPE, target="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, target, mode, len(content)
    return info, content


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def write_deb(path, members, suffix="xz"):
    pack = {"xz": lzma.compress, "gz": gzip.compress, "zst": zstd, "": bytes}[suffix]
    path.write_bytes(ar([("debian-binary", b"2.0\n"), ("control.tar.gz", gzip.compress(tar([]))),
                         ("data.tar" + (suffix and "." + suffix), pack(tar(members)))]))
    return path


def make(tmp_path, *members):
    return unpack("root", tmp_path / "out", "-", write_deb(tmp_path / "x.deb", list(members)))


def refused(done, *words):
    assert done.returncode == 1, (done.stdout, done.stderr)
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("cuvette-unpack: "), lines
    for word in words:
        assert word in lines[0], lines


@pytest.mark.parametrize("suffix", ["xz", "gz", "zst", ""])
def test_every_compression_of_a_package(tmp_path, suffix):
    deb = write_deb(tmp_path / "x.deb", [member("./bin/x", b"hello", mode=0o755)], suffix)
    done = unpack("root", tmp_path / "out", "-", deb)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/usr/bin/x").read_bytes() == b"hello"
    assert stat.S_IMODE(os.stat(tmp_path / "out/usr/bin/x").st_mode) == 0o755


def test_modes_are_plain(tmp_path):
    done = make(tmp_path, member("./usr/bin/su", b"x", mode=0o6755), member("./etc/secret", b"x", mode=0o600))
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(os.stat(tmp_path / "out/usr/bin/su").st_mode) == 0o755
    assert stat.S_IMODE(os.stat(tmp_path / "out/etc/secret").st_mode) == 0o644


def test_links_are_merged_and_relative(tmp_path):
    done = make(tmp_path, member("./lib/a/libx.so.1", b"x"),
                member("./lib64/libx.so", kind=tarfile.SYMTYPE, target="/lib/a/libx.so.1"),
                member("./usr/bin/hard", kind=tarfile.LNKTYPE, target="./lib/a/libx.so.1"))
    assert done.returncode == 0, done.stderr
    assert os.readlink(tmp_path / "out/usr/lib64/libx.so") == "../lib/a/libx.so.1"
    assert (tmp_path / "out/usr/bin/hard").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["../evil", "./../evil", "/evil", "usr/../../evil", "a\nb"])
def test_names_outside_are_refused(tmp_path, name):
    refused(make(tmp_path, member(name, b"x")), "archive member")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("target", ["../../evil", "/../evil", "x/../../../evil"])
def test_links_out_are_refused(tmp_path, target):
    refused(make(tmp_path, member("./usr/x", kind=tarfile.SYMTYPE, target=target)), "climbs out of the root")


def test_no_file_goes_through_a_link(tmp_path):
    (tmp_path / "outside").mkdir()
    refused(make(tmp_path, member("./usr/share/x", kind=tarfile.SYMTYPE, target="/etc"),
                 member("./usr/share/x/passwd", b"evil")), "cannot")
    assert not (tmp_path / "out/etc/passwd").exists()


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(tmp_path, kind):
    refused(make(tmp_path, member("./dev/x", kind=kind)), "device")


def test_a_hard_link_to_nothing_or_outside_is_refused(tmp_path):
    refused(make(tmp_path, member("./usr/x", kind=tarfile.LNKTYPE, target="./etc/none")), "not in the tree")
    refused(unpack("root", tmp_path / "two", "-",
                   write_deb(tmp_path / "y.deb", [member("./usr/x", kind=tarfile.LNKTYPE, target="../../etc/passwd")])),
            "not allowed")


def test_two_packages_with_one_file_are_refused(tmp_path):
    one = write_deb(tmp_path / "one.deb", [member("./lib/x", b"1")])
    two = write_deb(tmp_path / "two.deb", [member("./usr/lib/x", b"2")])
    refused(unpack("root", tmp_path / "out", "-", one, two), "usr/lib/x", "File exists")


def test_a_package_may_not_bring_what_the_root_makes(tmp_path):
    refused(make(tmp_path, member("./etc/passwd", b"evil")), "etc/passwd")


def test_broken_packages_are_refused(tmp_path):
    good = write_deb(tmp_path / "good.deb", [member("./usr/x", os.urandom(200_000))]).read_bytes()
    for name, data in {"empty": b"", "text": b"not a package\n", "half": good[: len(good) // 2],
                       "no-data": ar([("debian-binary", b"2.0\n")]),
                       "no-version": ar([("data.tar", tar([member("./usr/x", b"x")]))]),
                       "not-tar": ar([("debian-binary", b"2.0\n"), ("data.tar", b"\1" * 4096)])}.items():
        file = tmp_path / f"{name}.deb"
        file.write_bytes(data)
        refused(unpack("root", tmp_path / f"out-{name}", "-", file), f"{name}.deb")
    refused(unpack("root", tmp_path / "out-missing", "-", tmp_path / "missing.deb"), "missing.deb")


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    refused(make(tmp_path, member("./usr/x", b"x")), "File exists")
    assert os.listdir(tmp_path / "out") == []


def test_a_bomb_is_stopped(tmp_path):
    """3 GiB of zeros in a small package: the tree's limit ends it before the disk does."""
    import threading

    read, write = os.pipe()
    info, _ = member("./usr/zeros")
    info.size = 3 << 30
    header = info.tobuf(tarfile.GNU_FORMAT)
    packer = subprocess.Popen(["zstd", "-q", "-c", "-1"], stdin=read, stdout=subprocess.PIPE)
    os.close(read)

    def feed():
        with os.fdopen(write, "wb") as out:
            out.write(header)
            for _ in range(3 << 8):
                out.write(bytes(4 << 20))
            out.write(bytes(1024))

    thread = threading.Thread(target=feed)
    thread.start()
    data = packer.communicate(timeout=280)[0]
    thread.join()
    assert len(data) < 2 << 20
    deb = tmp_path / "bomb.deb"
    deb.write_bytes(ar([("debian-binary", b"2.0\n"), ("data.tar.zst", data)]))
    refused(unpack("root", tmp_path / "out", "-", deb), "more than is allowed")


def write_wheel(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_tool_is_its_program_and_licences(tmp_path):
    wheel = write_wheel(tmp_path / "t.whl", {"tool/__init__.py": "x", "tool-1.data/scripts/tool": "#!x",
                                             "tool-1.data/scripts/other": "y", "tool-1.dist-info/licenses/MIT": "z"})
    done = unpack("tool", tmp_path / "out", "tool", wheel)
    assert done.returncode == 0, done.stderr
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert found == ["bin/tool", "share/licenses/tool/MIT"]
    assert stat.S_IMODE(os.stat(tmp_path / "out/bin/tool").st_mode) == 0o755


@pytest.mark.parametrize("name", ["../evil", "/evil", "tool-1.dist-info/licenses/../../../../evil"])
def test_a_wheel_with_names_outside_is_refused(tmp_path, name):
    wheel = write_wheel(tmp_path / "t.whl", {"tool-1.data/scripts/tool": "x", name: "y"})
    refused(unpack("tool", tmp_path / "out", "tool", wheel), "not allowed")
    assert not (tmp_path / "evil").exists()


def test_a_wheel_without_the_program_is_refused(tmp_path):
    refused(unpack("tool", tmp_path / "out", "tool", write_wheel(tmp_path / "t.whl", {"a/b": "x"})), "does not bring")
    broken = tmp_path / "b.whl"
    broken.write_bytes(b"PK\3\4" + bytes(100))
    refused(unpack("tool", tmp_path / "out2", "tool", broken), "b.whl")


@pytest.mark.parametrize("arguments", [[], ["root"], ["root", "relative", "-", "x.deb"], ["root", "/tmp/x", "3.x", "d"],
                                       ["tool", "/tmp/x", "../sh", "w.whl"], ["other", "/tmp/x", "-", "d"]])
def test_wrong_calls_get_the_usage(arguments):
    done = unpack(*arguments)
    assert done.returncode == 2 and done.stderr.startswith("usage: cuvette-unpack")
