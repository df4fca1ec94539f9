# SPDX-License-Identifier: MIT
"""What stands beside a hostile program: listeners on the host that must never
hear of it, and a victim in a box of its own that must end untouched."""
import contextlib
import secrets
import socket
import threading
import time

from . import program as programs

VICTIM_SECONDS = 4
VICTIM_START_S = 1.0
VICTIM = programs.Program("victim", f'''
import ctypes, os, signal, socket, sys, time
mark = "cuvette-victim-" + sys.argv[1]
secret = sys.argv[1][::-1]
os.environ["VICTIM_SECRET"] = secret
hits = []
for number in set(range(1, signal.NSIG)) - {{signal.SIGCHLD}}:  # its own children end
    try:
        signal.signal(number, lambda n, f: hits.append(n))
    except (OSError, ValueError):
        pass
places = [folder + "/" + mark for folder in ("/box", "/tmp", "/dev/shm", "/home/cuvette")]
for place in places:
    with open(place, "w") as f:
        f.write(secret)
hidden = socket.socket(socket.AF_UNIX)
hidden.bind("\\0" + mark)
hidden.listen()
hidden.setblocking(False)
try:
    tcp = socket.socket()
    tcp.bind(("0.0.0.0", 47811))
    tcp.listen()
except OSError:
    pass
nice = os.nice(0), os.sched_getaffinity(0)
until = time.monotonic() + {VICTIM_SECONDS}
while time.monotonic() < until:
    time.sleep(0.05)
    with open(os.path.dirname(os.__file__) + "/this.py", "rb") as f:
        f.read(1)
    timer = ctypes.c_int()
    assert syscall(222, 1, 0, ctypes.byref(timer))[0] == 0, "no timer"
    syscall(226, timer.value)
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitpid(child, 0)[1] == 7 << 8
for place in places:
    assert open(place).read() == secret, place
try:
    hidden.accept()
    hits.append("a connection")
except BlockingIOError:
    pass
if (os.nice(0), os.sched_getaffinity(0)) != nice:
    hits.append("priority")
folders = [sorted(os.listdir(f)) for f in ("/tmp", "/dev/shm", "/home/cuvette")]
assert folders == [[mark]] * 3, folders
print("untouched" if not hits else "hit by %s" % hits)
''', limits={"timeout": "90"}, args=["{secret}"])


# Documentation, link-local and broadcast addresses: what a box sends there must
# go nowhere. Never used outside a box.
FAR_ADDRESSES = ["192.0.2.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "2001:db8::1"]


def host_addresses() -> list:
    """The IPv4 addresses by which other machines would reach this one."""
    found, last = set(), ""
    with contextlib.suppress(OSError), open("/proc/net/fib_trie") as f:
        for line in f:
            if "/32 host LOCAL" in line and not last.startswith("127."):
                found.add(last)
            last = line.strip().removeprefix("|-- ")
    return sorted(found)


class Listeners:
    """Kept on the host for the suite's time; heard() tells who called."""

    def __init__(self):
        self._heard, self._lock = [], threading.Lock()
        self.abstract_name = "cuvette-escape-" + secrets.token_hex(8)
        self._tcp = socket.socket()
        self._tcp.bind(("0.0.0.0", 0))
        self._tcp.listen()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("0.0.0.0", 0))
        self._abstract = socket.socket(socket.AF_UNIX)
        self._abstract.bind("\0" + self.abstract_name)
        self._abstract.listen()
        for name, sock in (("tcp", self._tcp), ("udp", self._udp), ("abstract", self._abstract)):
            threading.Thread(target=self._listen, args=(name, sock), daemon=True).start()

    def _listen(self, name, sock):
        while True:
            if name == "udp":
                sock.recvfrom(2048)
            else:
                sock.accept()[0].close()
            with self._lock:
                self._heard.append(name)

    @property
    def values(self) -> dict:
        return {"tcp_port": self._tcp.getsockname()[1], "udp_port": self._udp.getsockname()[1],
                "abstract": self.abstract_name}

    def heard(self) -> list:
        with self._lock:
            heard, self._heard = self._heard, []
        return heard


class Victim:
    """A run of its own while the hostile one runs."""

    def __init__(self, send, secret: str):
        self._observed = None
        self._thread = threading.Thread(target=self._run, args=(send, secret), daemon=True)
        self._thread.start()
        time.sleep(VICTIM_START_S)

    def _run(self, send, secret):
        self._observed = send(VICTIM, [secret])

    def wrong(self) -> list:
        self._thread.join(timeout=300)
        observed = self._observed
        if observed is None:
            return ["the victim gave no answer"]
        if observed.trouble or observed.status != "success" or observed.stdout.strip() != "untouched":
            kind = programs.Late if observed.status == "timeout" else str
            return [kind(f"the victim ended as {observed.status or observed.trouble}: {observed.stdout[:200]}{observed.stderr[-200:]}")]
        return []
