# SPDX-License-Identifier: MIT
"""Environments with one hostile package each, and what must be seen of their runs.

The launcher is given a store that has the image, the zygote and these environments,
made by hand: what a wheel holds is its author's choice, so no builder is needed to
have it there. tests/api has one that goes the whole way, from an index."""
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

from . import leftovers, program as programs

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "packages"
PROTOCOL = pathlib.Path(__file__).resolve().parents[3] / "worker-image/zygote/protocol.h"
NIX32 = "0123456789abcdfghijklmnpqrsvwxyz"
SETTLE_S = 2.5  # for the zygote to be ready, to have failed, to be tried again without it
PATIENCE_S = 90.0
RUN_S = 7.0  # the longest that an answer may take: a zygote has 5 s to fork, then the run goes cold
VICTIM_S = 3.0  # for a run that takes some 20 ms, on a machine that is kept busy by the suite itself
NOTICED_S = 90.0  # less than an import may take
WARM_S = 90.0  # for a zygote to have started, on such a machine
AFTER = 4
STRANGER_S = 60.0  # until whoever should not be in a zygote is seen there, and it is ended
UNSEALED_S = 60.0  # a process that is ending, or being made, on a busy machine
VICTIM_TENANT = "victim"

ANSWER = '''
import gc, re, signal
status = open("/proc/self/status").read()
check("answer", sys.argv == ["main.py", "a", "b"] and sum(range(100)) == 4950 and len([1, 2]) == 2)
check("rights", re.findall(r"^Cap(?:Inh|Prm|Eff|Bnd|Amb):\\t0*$", status, re.M).__len__() == 5)
check("seal", "NoNewPrivs:\\t1" in status and "Seccomp:\\t2" in status and os.getuid() == 1000)
listed = {int(n) for n in os.listdir("/proc") if n.isdigit()}
check("processes", listed <= {1, os.getpid()} and os.getppid() in (0, 1), (listed, os.getpid(), os.getppid()))
fds = [n for n in os.listdir("/proc/self/fd") if int(n) > 2 and os.path.exists(f"/proc/self/fd/{n}") and
       os.readlink(f"/proc/self/fd/{n}") not in ("/box/main.py",) and not os.readlink(f"/proc/self/fd/{n}").startswith("/proc/")]
check("descriptors", not fds, [os.readlink(f"/proc/self/fd/{n}") for n in fds])
shared = [line for line in open("/proc/self/maps") if line.split()[1][1] + line.split()[1][3] == "ws"]
check("mappings", not shared, shared)
check("threads", len(os.listdir("/proc/self/task")) == 1)
check("signals", not signal.pthread_sigmask(signal.SIG_BLOCK, []) and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
check("holes", "CUVETTE_HOLES" not in os.environ, os.environ.get("CUVETTE_HOLES"))
rest = os.getcwd(), oct(os.umask(0o022)), os.environ.get("LD_PRELOAD"), os.nice(0)
check("rest", rest[:3] == ("/box", "0o22", None), rest)
raises("network", lambda: __import__("socket").create_connection(("127.0.0.1", 47811), 1))
print("answered")
'''
USE = "import hostile\nimport os\nos.write(1, b'answered\\n')\n"


class BadPackage(Exception):
    pass


@dataclasses.dataclass
class Package:
    name: str
    text: str
    about: str
    imports: bool = True
    warm: bool = False
    accepts: tuple = ()

    @property
    def store_name(self) -> str:
        digest = hashlib.sha256(self.name.encode()).digest()
        return "".join(NIX32[b % 32] for b in digest) + "-hostile-" + self.name.replace("_", "-")


@dataclasses.dataclass
class Verdict:
    wrong: list
    paths: dict
    why_cold: str = ""

    @property
    def late(self) -> bool:
        """Wrong in time only: with other packages beside it, that says little."""
        return bool(self.wrong) and all(isinstance(w, programs.Late) for w in self.wrong)


def _zygote_version() -> str:
    """That of the protocol, for packages that lie in the right one."""
    return re.search(r"^#define CUV_ZYGOTE_VERSION (\d+)u$", PROTOCOL.read_text(), re.M).group(1)


def load(names: list) -> list:
    found, version = {}, _zygote_version()
    for path in sorted(FOLDER.glob("*.py")):
        text = path.read_text().replace("ZYGOTE_VERSION", version)
        heads = dict(re.findall(r"^# (import|warm|accepts): (.+)$", text, re.M))
        accepts = heads.get("accepts", " - ").partition(" - ")[0].split()
        found[path.stem] = Package(path.stem, text, text.split('"""')[1].splitlines()[0], heads.get("import") != "no",
                                   heads.get("warm") == "yes", tuple(accepts))
    if unknown := set(names) - set(found):
        raise BadPackage(f"no such package: {', '.join(sorted(unknown))}")
    return [p for name, p in found.items() if not names or name in names]


class Store:
    """A folder as the launcher takes for a store, with links to the files of the real one."""

    def __init__(self, real: pathlib.Path, wanted: list):
        self.real, self.wanted = real, wanted

    def __enter__(self):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="cuv-store-"))
        self._folder.chmod(0o755)
        self.path = self._folder / "store"
        self.path.mkdir()
        for source in [*self.real.glob("*-worker-image-python311"), *self.real.glob("*-cuvette-zygote")]:
            if source.is_dir() and subprocess.run(["cp", "-al", str(source), str(self.path)], capture_output=True, check=False).returncode:
                shutil.rmtree(self.path / source.name, ignore_errors=True)
                subprocess.run(["cp", "-a", str(source), str(self.path)], check=True)
        for package in self.wanted:
            self._environment(package)
        return self

    def _environment(self, package: Package) -> None:
        env = self.path / package.store_name
        site = env / "lib/python3.11/site-packages"
        (site / "hostile").mkdir(parents=True)
        (site / "hostile/__init__.py").write_text(package.text)
        info = site / "hostile-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n")
        (info / "RECORD").write_text("hostile/__init__.py,,\nhostile-1.0.dist-info/METADATA,,\nhostile-1.0.dist-info/RECORD,,\n")
        (info / "top_level.txt").write_text("hostile\n")
        (env / "bin").mkdir()
        for name in ("python", "python3"):
            (env / "bin" / name).symlink_to("/usr/bin/python3.11")
        (env / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n")

    def __exit__(self, *_):
        subprocess.run(["chmod", "-R", "u+w", str(self._folder)], check=False) if os.geteuid() else None
        shutil.rmtree(self._folder, ignore_errors=True)


def _program(text: str, timeout: str = "60"):
    return programs.Program("package", text, limits={"timeout": timeout})


def _judge(what: str, observed, seconds: float, most: float, accepts: tuple = ()) -> list:
    wrong = []
    if observed.trouble:
        wrong.append(observed.trouble)
    elif observed.status in accepts:
        pass
    elif observed.status != "success" or not observed.stdout.rstrip().endswith("answered") or observed.stderr:
        # One that has only not come to its end is late, as below.
        kind = programs.Late if observed.status == "timeout" else str
        wrong.append(kind(f"{observed.status} {observed.return_code} [{observed.path}] {observed.stdout[-200:]}{observed.stderr[-200:]}"))
    wrong += [line[:200] + f" [{observed.path}]" for line in observed.stdout.splitlines()
              if line.startswith("HOLE") and line.split()[1] not in accepts]
    if seconds > most:
        wrong.append(programs.Late(f"took {seconds:.1f} s [{observed.path}]"))
    return [type(w)(f"{what}: {w}") for w in wrong]


class Neighbour:
    """Runs of another tenant, without packages, one after the other while all else goes on."""

    def __init__(self, started):
        self._launcher, self._stop, self.wrong, self.runs = started, threading.Event(), [], 0
        self._warm, self._why_cold = False, ""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        began = time.monotonic()
        # On a busy machine all may be over before its zygote has started.
        while not self._stop.wait(0.15) or not (self._warm or self.wrong or time.monotonic() - began > WARM_S):
            since = time.monotonic()
            observed = self._launcher.send(_program("print('answered')\n"), [], tenant=VICTIM_TENANT)
            self.wrong += _judge("a neighbour's run", observed, time.monotonic() - since, VICTIM_S)
            if self._warm and observed.path == "cold" and not self.wrong:
                # So is each where a package can do it; a machine that stood still has one now and then.
                self.wrong.append(programs.Late(f"a neighbour's run was cold: {observed.why_cold}"))
            self._warm |= observed.path != "cold"
            self._why_cold = observed.why_cold
            self.runs += 1
        if not self._warm and not self.wrong:
            self.wrong.append(programs.Late(f"a neighbour was never warm: {self._why_cold}"))

    def end(self) -> list:
        self._stop.set()
        self._thread.join(WARM_S + 120)
        # How long each took was judged; these are to show that there were some.
        return self.wrong[:3] or ([] if self.runs > 2 else [programs.Late(f"a neighbour had {self.runs} runs only")])


def lasting(look, seconds: float) -> list:
    """What is seen at every look until then."""
    wrong, until = set(look()), time.monotonic() + seconds
    while wrong and time.monotonic() < until:
        time.sleep(0.1)
        wrong &= set(look())
    return sorted(wrong)


def unsealed(root: int, instance: str) -> list:
    """A process that is just being made, or is just ending, is not yet or no longer
    where it belongs, on a busy machine for a while."""
    return lasting(lambda: unsealed_now(root, instance), UNSEALED_S)


def unsealed_now(root: int, instance: str) -> list:
    """What is below the launcher and not its own code, seen from the host: who is
    not in a box's user, control groups or namespaces."""
    table, wrong = leftovers._processes(), []
    if root not in table:
        return [f"the launcher {root} is gone"]
    own = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in ("user", "mnt", "net", "pid", "ipc", "uts")}
    for pid in sorted(leftovers._below(table, root)):
        process = table[pid]
        if process.file == table[root].file or process.zombie:
            continue
        try:
            shared = [kind for kind in own if os.readlink(f"/proc/{pid}/ns/{kind}") == own[kind]]
            groups = leftovers._read(f"/proc/{pid}/cgroup")
        except OSError:
            continue  # ended meanwhile
        if shared:
            wrong.append(f"{process} has our {' '.join(shared)}")
        if f"cuvette-{instance}/" not in groups and groups:
            wrong.append(f"{process} is in no control group of a box")
        if process.uid not in leftovers.BOX_UIDS and process.uid not in leftovers.subordinate_uids():
            wrong.append(f"{process} has a user id of the host")
        if table[process.parent].pid == root:
            wrong.append(f"{process} is the launcher's own child")
    return wrong


def strangers(root: int) -> list:
    """In the process namespace of a zygote, besides it and its box maker: what an
    import has left there would live, and burn time, without any run."""
    table, found = leftovers._processes(), []
    for pid in leftovers._below(table, root):
        if table[pid].name == leftovers.MAKER:
            own = [p for p in table.values() if p.pid_ns == table[pid].pid_ns and p.pid != pid]
            found += [f"{p} lives in a zygote's namespace" for p in sorted(own, key=lambda p: p.pid)[1:]]
    return found


def _runs(package: Package, started, closure: tuple) -> tuple:
    """(wrong, paths, why the last were cold)"""
    env, wrong, paths, why = package.store_name, [], {}, ""

    def one(what, text):
        since = time.monotonic()
        observed = started.send(_program(text), ["a", "b"], env=env, closure=closure)
        paths[observed.path] = paths.get(observed.path, 0) + 1
        return _judge(what, observed, time.monotonic() - since, RUN_S, package.accepts), observed.why_cold

    wrong += one("the first run", ANSWER)[0]
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        time.sleep(0.3)
        wrong += one("a run", ANSWER)[0]
        wrong += unsealed(started.process.pid, started.instance)
    if not paths.keys() <= {"cold"}:  # warm by now, or without it: who was left there is gone
        wrong += lasting(lambda: strangers(started.process.pid), STRANGER_S)
    until = time.monotonic() + NOTICED_S
    while package.warm and paths.keys() <= {"cold"} and time.monotonic() < until:
        time.sleep(0.3)
        found, why = one("a run", ANSWER)
        wrong += found
    if package.warm and paths.keys() <= {"cold"}:
        wrong.append(programs.Late(f"it stayed cold: {why}"))
    for n in range(AFTER):
        found, why = one(f"run {n} after", ANSWER)
        wrong += found
    if package.imports:
        wrong += one("a run that imports it", USE)[0]
    return wrong, paths, why


def instance_left(instance: str, pids: set) -> list:
    """After the launcher's end."""
    until, left = time.monotonic() + PATIENCE_S, ["?"]
    while left and time.monotonic() < until:
        table = leftovers._processes()
        # One that is dead and waits for whoever is init here is not the launcher's any more.
        left = [str(table[pid]) for pid in sorted(pids & set(table)) if not table[pid].zombie]
        left += [top for top, _, _ in os.walk(leftovers.CGROUPS) if os.path.basename(top) == f"cuvette-{instance}"]
        time.sleep(0.05)
    return ["left: " + what for what in left[:5]]


def attempt(package: Package, start, store: Store) -> Verdict:
    started, pids = start(), set()
    try:
        neighbour = Neighbour(started)
        wrong, paths, why = _runs(package, started, (package.store_name,))
        pids = leftovers._below(leftovers._processes(), started.process.pid)
        wrong += neighbour.end()
        if started.process.poll() is not None:
            wrong.append(f"the launcher ended with {started.process.returncode}")
    finally:
        since = time.monotonic()
        started.close()
    if time.monotonic() - since > PATIENCE_S:
        wrong.append(programs.Late(f"the launcher took {time.monotonic() - since:.1f} s to stop"))
    wrong += instance_left(started.instance, pids)
    with contextlib.closing(start()) as again:
        wrong += _judge("after a new start", again.send(_program("print('answered')\n"), []), 0, 1)
    return Verdict(list(dict.fromkeys(wrong))[:8], paths, why)


def left_on_the_machine() -> list:
    """Of boxes' users, below no launcher that lives."""
    until, left = time.monotonic() + PATIENCE_S, ["?"]
    while left and time.monotonic() < until:
        table, held = leftovers._processes(), set()
        for pid, process in table.items():
            if process.name == leftovers.LAUNCHER:
                held |= leftovers._below(table, pid)
        left = [str(p) for pid, p in table.items() if p.uid in leftovers.BOX_UIDS and pid not in held and not p.zombie]
        time.sleep(0.05)
    return left
