# SPDX-License-Identifier: MIT
"""What a launcher holds of the host when its seal has taken the host's files away.

It asks the kernel to let processes enter control groups without delay, unless it is
told not to: seen by the hierarchy that it holds for that, attached nowhere, of which
every process is a member. And what a box's namespace holds of it below the box's root: all
mounts, also those that no path leads to, as the kernel lists them."""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import re
import struct
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suite import launcher  # noqa: E402

GET_MNTNS_ID, LISTMOUNT, STATMOUNT = 0x8008B705, 458, 457
ALL_MOUNTS, WITH_MNT_ROOT, STRINGS_AT = 0xFFFFFFFFFFFFFFFF, 8, 512

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root's alone")


def leads_to(fd: pathlib.Path) -> str:
    with contextlib.suppress(FileNotFoundError):  # it works meanwhile, and has closed it
        return os.readlink(fd)
    return ""


def holds_hierarchy(pid: int) -> bool:
    """Others' services may hold it too, so it is looked for among this process's descriptors."""
    roots = [str(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir() if leads_to(fd) == "/"]
    told = subprocess.run(["stat", "-L", "-f", "-c", "%T", *roots], capture_output=True, text=True, check=False) if roots else None
    return told is not None and "cgroupfs" in told.stdout.split()


def start(*options: str) -> launcher.Launcher:
    return launcher.Launcher.of_tests("cold", *options)


def test_a_launcher_favors_moves():
    one = start()
    try:
        assert holds_hierarchy(one.process.pid)
        lines = pathlib.Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
        assert "name=cuvette" in [line.split(":")[1] for line in lines]
    finally:
        one.close()


def test_it_can_be_told_not_to():
    one = start("--favordynmods", "0")
    try:
        assert not holds_hierarchy(one.process.pid)
    finally:
        one.close()


def test_it_sees_how_much_memory_the_machine_has():
    one = start()
    try:
        held = [fd for fd in pathlib.Path(f"/proc/{one.process.pid}/fd").iterdir() if leads_to(fd).endswith("/meminfo")]
        assert [re.findall(r"^MemAvailable: +\d+ kB$", fd.read_text(), re.M) for fd in held]
    finally:
        one.close()


def ask_kernel(call: int, mount: int, param: int, namespace: int, answer) -> int:
    request = struct.pack("IIQQQ", 32, 0, mount, param, namespace)
    r = ctypes.CDLL(None, use_errno=True).syscall(call, request, answer, len(answer), 0)
    if r < 0:
        pytest.skip(f"the kernel does not list a namespace's mounts: {os.strerror(ctypes.get_errno())}")
    return r


def roots_of_mounts(pid: int) -> list[str]:
    """Of every mount in the process's namespace: which folder of its file system it shows."""
    with open(f"/proc/{pid}/ns/mnt", "rb") as file:
        try:
            namespace = struct.unpack("Q", fcntl.ioctl(file, GET_MNTNS_ID, bytes(8)))[0]
        except OSError as why:
            pytest.skip(f"the kernel does not tell a namespace's number: {why}")
    ids, found = (ctypes.c_uint64 * 256)(), []
    for mount in ids[:ask_kernel(LISTMOUNT, ALL_MOUNTS, 0, namespace, ids)]:
        told = ctypes.create_string_buffer(8192)
        ask_kernel(STATMOUNT, mount, WITH_MNT_ROOT, namespace, told)
        found.append(told.raw[STRINGS_AT:].strip(b"\0").decode())
    return found


def named(word: str) -> int:
    """The python of whose command line this is the last word."""
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if file.read_bytes() == f"{launcher.PYTHON}\0main.py\0{word}\0".encode():
                return int(file.parent.name)
    raise LookupError(word)


def parent_of(pid: int) -> int:
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def folders_of(pid: int) -> list[str]:
    """What it has open that paths lead through, when it had the time to close what it does not need."""
    for _ in range(100):
        found = [leads_to(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
        found = [path for path in found if path.startswith("/") and path != "/dev/null"]
        if not found:
            break
        time.sleep(0.05)
    return found


def inits(root: int) -> list[int]:
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            pid = int(file.parent.name)
            if file.read_text(encoding="ascii") == "cuvette-init\n" and parent_of(parent_of(pid)) == root:
                found.append(pid)
    return found


def test_a_box_that_waits_has_nothing_of_the_launchers():
    """But its copy of the store, which is mounted nowhere: so unmounting it is nothing that a run waits for."""
    if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 15):
        pytest.skip("the kernel can't copy what is mounted nowhere")
    one = start()
    try:
        for _ in range(100):
            waiting = inits(one.process.pid)
            if waiting and all(roots_of_mounts(pid) == ["/mnt"] for pid in waiting):
                break
            time.sleep(0.05)
        assert waiting
        assert [roots_of_mounts(pid) for pid in waiting] == [["/mnt"]] * len(waiting)
    finally:
        one.close()


def test_below_a_box_is_one_empty_folder(tmp_path):
    one, main = start(), tmp_path / "main.py"
    main.write_text("import time\nprint(flush=True)\ntime.sleep(60)\n", encoding="ascii")
    words = [one.boxrun, "--connect", one.socket_path, "--image", one.image, "--strict", "--file", f"main.py={main}", "--",
             launcher.PYTHON, "main.py", one.secret]
    try:
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            try:
                run.stdout.readline()
                pid = named(one.secret)
                seen = pathlib.Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines()
                assert sorted(roots_of_mounts(pid)) == sorted([line.split()[3] for line in seen] + ["/mnt"])
                assert not folders_of(parent_of(pid))
            finally:
                run.kill()
    finally:
        one.close()
