# SPDX-License-Identifier: MIT
"""The ways to run a program that are compared, each driven by tests/helpers/load:
through a launcher of its own, through a service, and as others would do it."""

import array
import ctypes
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/api")]

import client  # noqa: E402

HELPERS = pathlib.Path(os.environ.get("CUVETTE_BUILD", ROOT / "build")) / "tests/helpers"
CLEAN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/home/cuvette", "OMP_NUM_THREADS": "1",
         "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
CPUACCT = pathlib.Path("/sys/fs/cgroup/cpuacct")
READY_S = 120
# linux/kcmp.h; libc has no function of that name
KCMP, KCMP_VM = {"x86_64": 312, "aarch64": 272}, 1
libc = ctypes.CDLL(None, use_errno=True)


# --- processes ---


def stat_of(pid: str) -> list[str]:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(root: int) -> list[int]:
    """A process and all below it."""
    below = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            below.setdefault(int(stat_of(pid)[1]), []).append(int(pid))
        except (OSError, IndexError):
            continue
    found = [root]
    for pid in found:
        found += below.get(pid, [])
    return found


def cpu_of_tree(root: int) -> float:
    """Seconds of a process and all below it, dead and reaped ones included."""
    ticks = 0
    for pid in tree(root):
        try:
            ticks += sum(map(int, stat_of(str(pid))[11:15]))
        except (OSError, IndexError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def shares_memory(a: int, b: int) -> bool:
    """Whether two processes have one and the same memory, as threads have."""
    return libc.syscall(KCMP[os.uname().machine], a, b, KCMP_VM, 0, 0) == 0


def pss(pid: int) -> int:
    """Bytes; 0 where the memory is its parent's, whose it counts as."""
    try:
        if shares_memory(pid, int(stat_of(str(pid))[1])):
            return 0
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def name_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe").rpartition("/")[2]
    except OSError:
        return ""


class Account:
    """The CPU time of processes that are started in it, whoever reaps them: a control
    group, where there is version 1; else what can be seen in /proc."""

    serial = 0

    def __init__(self):
        Account.serial += 1
        self.group, self.pid = None, 0
        if (CPUACCT / "cpuacct.usage").exists():
            self.group = CPUACCT / f"cuvettebench-{os.getpid()}-{Account.serial}"
            self.group.mkdir()

    def join(self) -> None:
        """In the child, before it is executed."""
        if self.group:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def seconds(self, below: str = "") -> float:
        """Until now; below: of a group in it (0 where that is not to be had)."""
        if not self.group:
            return 0.0 if below else cpu_of_tree(self.pid)
        usage = self.group / below / "cpuacct.usage"
        return int(usage.read_text()) / 1e9 if usage.exists() else 0.0

    def close(self) -> None:
        if self.group:
            client.wait_until(lambda: not (self.group / "cgroup.procs").read_text(), 30, "the group is empty")
            self.group.rmdir()


# --- the load generator ---


class Failed(Exception):
    pass


class Load:
    """tests/helpers/load, waiting for orders. prefix: what executes it."""

    def __init__(self, *words, prefix=()):
        self.account = Account()
        self.process = subprocess.Popen([*prefix, HELPERS / "load", *map(str, words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=CLEAN, preexec_fn=self.account.join)
        self.account.pid = self.process.pid
        self._line()

    def cpu(self) -> float:
        """Seconds of it and of what it has started, until now."""
        return self.account.seconds()

    def _line(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"load ended with status {self.process.wait()}")
        return json.loads(line)

    def __call__(self, runs: int, clients: int = 1, seconds: float = 0) -> dict:
        self.process.stdin.write(f"{runs} {clients} {seconds}\n")
        self.process.stdin.flush()
        answer = self._line()
        if answer["errors"]:
            raise Failed(f"{answer['errors']} of {answer['runs']} runs failed: {answer['error']}")
        return answer

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)
        self.account.close()


class Program:
    """What is run: code, and the environment it needs."""

    def __init__(self, folder: pathlib.Path, name: str, code: str, requirements: str = "# none\n"):
        self.name, self.requirements = name, folder / f"{name}.txt"
        self.requirements.write_text(requirements)
        self.code = folder / f"{name}.py"
        self.code.write_text(code)
        self.environment, self.image, self.closure = "", "", []

    def know(self, service) -> "Program":
        """Has the environment made."""
        answer = service.answer("pass\n", self.requirements.read_text(), exclude_newer=client.DATE)
        self.environment = pathlib.Path(answer["environment"]["store_path"]).name
        self.image = pathlib.Path(answer["image"]["store_path"]).name
        listed = subprocess.run(["nix-store", "--query", "--requisites", f"/nix/store/{self.environment}"],
                                env={**os.environ, "NIX_REMOTE": str(service.state / "nix")}, capture_output=True,
                                text=True, check=True).stdout.split()
        self.closure = [pathlib.Path(p).name for p in listed if not p.endswith(self.image)]
        return self

    @property
    def python(self) -> str:
        return f"/nix/store/{self.environment}/bin/python"

    @property
    def bare(self) -> list[str]:
        """The least that runs it: of the image, and of the environment only where that is needed."""
        return [self.python if len(self.closure) > 1 else "/usr/bin/python3.11", "-I", "main.py"]


# --- ours ---


class Launcher:
    """A launcher alone, with a socket to connect to."""

    def __init__(self, state: pathlib.Path, folder: pathlib.Path, *options):
        self.account = Account()
        self.instance = f"bench-{os.getpid()}-{Account.serial}"
        self.socket = folder / f"{self.instance}.sock"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(self.socket))
        listener.listen(1024)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log = open(folder / f"{self.instance}.log", "wb")
        words = [client.BIN / "cuvette-launcher", "--store", state / "nix/nix/store", "--instance", self.instance,
                 "--listen-fd", "4", *options]
        # 3 and 4 may be any of ours here: first out of the way, then into place.
        high = [os.dup2(s.fileno(), 900 + i) for i, s in enumerate((theirs, listener))]
        script = "import os, sys; os.dup2(900, 3); os.dup2(901, 4); os.execv(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen([sys.executable, "-c", script, *map(str, words)], pass_fds=high, stderr=self.log,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=self.account.join)
        self.account.pid = self.process.pid
        for fd in high:
            os.close(fd)
        theirs.close()
        listener.close()
        self.control.settimeout(READY_S)
        if not self.control.recv(4096).startswith(array.array("H", [1, 1]).tobytes()):
            raise Failed("the launcher refuses: " + pathlib.Path(self.log.name).read_text(errors="replace")[-500:])

    def cpu(self) -> float:
        """Seconds of launcher, keepers, zygotes and boxes until now."""
        return self.account.seconds()

    def cpu_in_boxes(self) -> float:
        """Of these, what the boxes' control groups have counted."""
        return self.account.seconds(f"cuvette-{self.instance}")

    def load(self, program: Program, *options, argv: list[str] | None = None) -> Load:
        words = ["launcher", "--connect", self.socket, "--image", program.image, "--env", program.environment,
                 "--code", program.code, *options]
        words += [w for name in program.closure for w in ("--closure", name)]
        return Load(*words, "--", *(argv or [program.python, "main.py"]))

    def close(self) -> None:
        self.control.close()
        self.process.wait(60)
        self.log.close()
        self.account.close()


def zygote_of(state: pathlib.Path) -> str | None:
    """The store's, as its builder finds it."""
    link = state / "nix/nix/var/nix/gcroots/cuvette/zygote"
    return pathlib.Path(os.readlink(link)).name if link.is_symlink() else None


# --- others' ---


class Roots:
    """The image's root as others want it: with the store and the work folder in place."""

    def __init__(self, state: pathlib.Path, folder: pathlib.Path, image: str):
        self.store = state / "nix/nix/store"
        self.image, self.root, self.work = self.store / image, folder / "root", folder / "box"
        self.bundle = folder / "bundle"
        for made in (self.root, self.work, self.bundle):
            made.mkdir()

    def __enter__(self) -> "Roots":
        root = str(self.root)
        for command in (["mount", "--bind", str(self.image), root], ["mount", "-o", "remount,bind,ro", root],
                        ["mount", "--bind", str(self.store), f"{root}/nix/store"],
                        ["mount", "--bind", str(self.work), f"{root}/box"], ["mount", "-t", "proc", "proc", f"{root}/proc"],
                        ["mount", "--bind", "/dev", f"{root}/dev"], ["mount", "-t", "tmpfs", "tmpfs", f"{root}/tmp"]):
            subprocess.run(command, check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-R", "-l", str(self.root)], check=True)

    def bare(self, program: Program) -> Load:
        return Load("exec", "--root", self.root, "--work", self.work, "--inside", "/box", "--code", program.code, "--",
                    *program.bare)

    def _under(self, program: Program, *words, prefix=()) -> Load:
        return Load("exec", "--work", self.work, "--code", program.code, "--", *words, prefix=prefix)

    def bwrap(self, program: Program) -> Load:
        return self._under(program, shutil.which("bwrap"), "--unshare-all", "--die-with-parent", "--new-session",
                           "--ro-bind", self.image, "/", "--ro-bind", self.store, "/nix/store", "--proc", "/proc", "--dev",
                           "/dev", "--tmpfs", "/tmp", "--bind", self.work, "/box", "--chdir", "/box/0", *program.bare)

    def crun(self, program: Program) -> Load:
        """Without control groups, and out of sight of version 2's, which crun does not
        want beside version 1's."""
        kinds = ("pid", "network", "ipc", "uts", "mount")
        config = {
            "ociVersion": "1.0.0", "hostname": "cuvette", "root": {"path": str(self.image), "readonly": True},
            "process": {"cwd": "/box/0", "args": program.bare, "env": [f"{k}={v}" for k, v in CLEAN.items()],
                        "user": {"uid": 0, "gid": 0}, "noNewPrivileges": True, "capabilities": {}},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
                       {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
                       {"destination": "/nix/store", "type": "none", "source": str(self.store), "options": ["rbind", "ro"]},
                       {"destination": "/box", "type": "none", "source": str(self.work), "options": ["rbind", "rw"]}],
            "linux": {"namespaces": [{"type": kind} for kind in kinds]}}
        folder = self.bundle / program.name
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config))
        hidden = ("unshare", "-m", "sh", "-c", 'umount -l /sys/fs/cgroup/unified 2>/dev/null; exec "$0" "$@"')
        return self._under(program, shutil.which("crun"), "--root", self.bundle, "--cgroup-manager", "disabled", "run",
                           "--bundle", folder, f"bench-{os.getpid()}-{program.name}",
                           prefix=hidden)

    def nsjail(self, program: Program) -> Load:
        return self._under(program, shutil.which("nsjail"), "-Mo", "--really_quiet", "--chroot", self.image, "--bindmount_ro",
                           f"{self.store}:/nix/store", "--bindmount", f"{self.work}:/box", "--tmpfsmount", "/tmp", "--cwd",
                           "/box/0", "--", *program.bare)

    def others(self) -> list[str]:
        """Those that this machine has."""
        return [name for name in ("bwrap", "crun", "nsjail") if shutil.which(name)]
