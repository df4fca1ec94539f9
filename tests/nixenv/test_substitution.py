# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""Environments from the caches of others: taken when signed and whole, else built."""
import concurrent.futures
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from helpers import BUILD, ROOT, ask, clean_state, command, environment_of, nix, owner, traced
from served import Server, basic, wheel

sys.path.insert(0, str(ROOT / "tests/api"))
from client import Service  # noqa: E402

KEY = "sesame-of-the-test"
DAY = "2024-09-01"
DATE = ("--exclude-newer", DAY)
CLONE_NEWNET = 0x40000000


def base_settings(index, **more):
    return {"UV_DEFAULT_INDEX": index, "CUVETTE_PUBLIC_INDEXES": index, "NETRC": "/dev/null", **more}


def hashes(state, names):
    """NAR hashes by the store's own book, after Nix has hashed the paths anew."""
    paths = [f"/nix/store/{name}" for name in names]
    nix(state, "nix-store", "--verify-path", *paths)
    return nix(state, "nix-store", "-q", "--hash", *paths).split()


class Pair:
    """The first has the cache; the second gets from it. Each test has packages of its own."""

    def __init__(self, first, second, server):
        self.first, self.second, self.server, self.wheels = first, second, server, {}
        self.service = Service(first, CACHE_SHARE="1", API_KEY=KEY, **base_settings(server.index))

    @property
    def key(self):
        return (self.first / "nix/cache.public").read_text().strip()

    def add(self, name, **more):
        made = wheel(name, **more)
        self.wheels[name] = made, self.server.add(made)

    def make(self, name):
        """Two packages, and their environment in the first."""
        self.add(f"{name}-a", requires=(f"{name}-b",), payload=os.urandom(50_000))
        self.add(f"{name}-b")
        return environment_of(self.first, f"{name}-a\n", *DATE, env=base_settings(self.server.index))

    def take(self, requirements, caches, *options):
        """The second's answer, and its log's events."""
        [answer], log = ask(self.second, requirements, *(options or DATE), log=True,
                            env=base_settings(self.server.index, CUVETTE_CACHES=caches))
        events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        return answer, {event["event"]: event for event in events if "event" in event}

    def authorized(self, key=None):
        return f"http://anybody:{KEY}@127.0.0.1:{self.service.port} {key or self.key}"

    def fetch(self, path):
        answer = httpx.get(self.service.url + path, headers={"X-API-Key": KEY}, timeout=250)
        assert answer.status_code == 200, path
        return answer

    def copy(self, closure, into):
        """The same cache as plain files of another server."""
        for name in closure:
            text = self.fetch(f"/{name[:32]}.narinfo").text
            path = "/" + dict(line.split(": ", 1) for line in text.splitlines())["URL"]
            into.files[f"/{name[:32]}.narinfo"] = text.encode()
            into.files[path] = self.fetch(path).content

    def installed(self, name):
        """Whether the second has installed wheels itself: it has the wheels then."""
        return any((self.second / "nix/nix/store").glob(f"*-{name.replace('-', '_')}_*.whl"))

    def same(self, environment):
        return hashes(self.first, environment["closure"]) == hashes(self.second, environment["closure"])


@pytest.fixture(scope="module", name="pair")
def pair_of_states():
    with clean_state() as first, clean_state() as second, Server() as server:
        pair = Pair(first, second, server)
        with pair.service:
            yield pair


def test_taken_and_not_built(pair):
    made = pair.make("taken")
    answer, log = pair.take("taken-a\n", pair.authorized())
    assert answer.get("digest") == made["digest"], answer
    assert (log["substituted"]["paths"], log["substituted"]["missing"]) == (3, 0)
    assert pair.same(made)
    assert not pair.installed("taken")
    # The second has not asked the index for a wheel.
    for name in ("taken-a", "taken-b"):
        assert len(pair.server.ours(pair.wheels[name][1])) == 1


def test_the_builds_daemons_take_it(pair, tmp_path):
    """None are started for it beside those that would have built it."""
    made = pair.make("lent")
    env = base_settings(pair.server.index, CUVETTE_CACHES=pair.authorized())
    [answer], programs = traced(tmp_path, command(pair.second, "lent-a\n", *DATE, "--quiet"), env)
    assert answer.get("digest") == made["digest"], answer
    assert not pair.installed("lent")
    assert 1 <= programs.count("nix-daemon") <= (os.cpu_count() or 1)


def test_what_is_new_is_built(pair):
    pair.make("part")
    pair.add("part-c", requires=("part-a",))
    answer, log = pair.take("part-c\n", pair.authorized())
    assert answer.get("packages") == ["part-a 1.0", "part-b 1.0", "part-c 1.0"], answer
    assert (log["substituted"]["paths"], log["substituted"]["missing"]) == (2, 2)
    assert not list((pair.second / "nix/nix/store").glob("*-part_a-*.whl"))


def test_by_its_digest(pair):
    made = pair.make("digest")
    answer, log = pair.take("", pair.authorized(), "--digest", made["digest"], "--with-lock")
    assert answer.get("digest") == made["digest"], answer
    assert log["substituted"]["missing"] == 0
    assert "digest-a" in answer["lock"]
    assert pair.same(made)
    unknown, _ = pair.take("", pair.authorized(), "--digest", "0" * 32)
    assert unknown["failure"]["code"] == "environment-unknown"


def refused_and_built(pair, name, caches, event):
    answer, log = pair.take(f"{name}-a\n", caches)
    assert "failure" not in answer, answer
    assert event in log, log.keys()
    assert pair.installed(name)
    return answer, log


def test_without_the_password(pair):
    made = pair.make("closed")
    answer, log = refused_and_built(pair, "closed", f"{pair.service.url} {pair.key}", "cache-unreachable")
    assert log["cache-unreachable"]["http"] == 401
    assert answer["digest"] == made["digest"]
    assert pair.same(made)


def test_foreign_signature(pair):
    made = pair.make("foreign")
    other = pair.key.partition(":")[0] + ":" + "A" * 43 + "="
    _, log = refused_and_built(pair, "foreign", pair.authorized(other), "narinfo-refused")
    assert log["narinfo-refused"]["why"] == "not signed by a trusted key"
    assert "substituted" not in log
    assert pair.same(made)


def tamper_hash(text, _):
    """Another archive's hash, with the signature of the right one."""
    return text.replace(b"NarSize: ", b"NarSize: 1", 1)


def tamper_reference(text, _):
    return text.replace(b"References: ", b"References: " + b"0" * 32 + b"-evil ", 1)


def tamper_path(text, name):
    return text.replace(name[:32].encode(), b"0" * 32)


@pytest.mark.parametrize("tamper", [tamper_hash, tamper_reference, tamper_path, lambda text, _: text[:100],
                                    lambda text, _: b"\xff" * 300_000], ids=["hash", "refs", "path", "cut", "noise"])
def test_tampered_narinfo(pair, tamper, request):
    name = "info-" + request.node.callspec.id
    made = pair.make(name)
    with Server() as cache:
        pair.copy(made["closure"], cache)
        for store_name in made["closure"]:
            path = f"/{store_name[:32]}.narinfo"
            cache.files[path] = tamper(cache.files[path], store_name)
        caches = f"{cache.site} {pair.key}"
        event = "cache-unreachable" if request.node.callspec.id == "noise" else "narinfo-refused"
        refused_and_built(pair, name, caches, event)
    assert pair.same(made)


def other_bytes(data):
    """A good archive of other content, as long as the right one."""
    plain = bytearray(subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout)
    at = plain.index(b"VERSION")
    plain[at] = ord("X")
    return subprocess.run(["zstd", "-c"], input=bytes(plain), capture_output=True, check=True).stdout


@pytest.mark.parametrize("tamper", [other_bytes, lambda data: data[:len(data) // 2], lambda data: data + data],
                         ids=["other", "half", "twice"])
def test_tampered_archive(pair, tamper, request):
    name = "nar-" + request.node.callspec.id
    made = pair.make(name)
    victim = next(store_name for store_name in made["closure"] if f"-{name}-b-" in store_name)
    with Server() as cache:
        pair.copy(made["closure"], cache)
        path = next(path for path in cache.files if path.startswith(f"/nar/{victim[:32]}"))
        cache.files[path] = tamper(cache.files[path])
        answer, log = pair.take(f"{name}-a\n", f"{cache.site} {pair.key}")
    assert answer.get("digest") == made["digest"], answer
    assert log["substitute-refused"]["path"] == victim
    assert list((pair.second / "nix/nix/store").glob(f"*-{name.replace('-', '_')}_b-*.whl"))
    assert pair.same(made)


def test_one_that_is_down_is_left_alone(pair):
    """The second environment of the same builder is made without asking."""
    pair.make("down")
    pair.add("down-c")
    with socket.socket() as bound, Server() as index_too:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        caches = f"http://127.0.0.1:{bound.getsockname()[1]} {pair.key} {index_too.site} {pair.key}"
        answer, log = refused_and_built(pair, "down", caches, "cache-unreachable")
        assert answer["packages"] == ["down-a 1.0", "down-b 1.0"]
        # The next one is asked all the same.
        assert any(path.endswith(".narinfo") for path, _ in index_too.seen)
        assert log["cache-unreachable"]["cache"].startswith(f"http://127.0.0.1:{bound.getsockname()[1]}")


def test_cache_of_a_stock_nix(pair):
    """Files as `nix copy` writes them, by xz, signed by `nix store sign`."""
    made = pair.make("stock")
    folder, uid = pair.first / "stock", owner(pair.first)
    secret, cache = folder / "secret", folder / "cache"
    folder.mkdir()
    os.chown(folder, uid, uid)
    secret.write_text(nix(pair.first, "nix", "key", "generate-secret", "--key-name", "stock-1"))
    public = subprocess.run(["nix", "--extra-experimental-features", "nix-command", "key", "convert-secret-to-public"],
                            input=secret.read_text(), capture_output=True, text=True, check=True, timeout=250).stdout
    os.chown(secret, uid, uid)
    nix(pair.first, "nix", "copy", "--to", f"file://{cache}?compression=xz&compression-level=0&secret-key={secret}",
        f"/nix/store/{made['env']}")
    with Server() as server:
        for file in cache.rglob("*"):
            if file.is_file():
                server.files["/base/" + file.relative_to(cache).as_posix()] = file.read_bytes()
        server.auth = basic("u", "p")
        answer, log = pair.take("stock-a\n", f"{server.site.replace('://', '://u:p@')}/base {public.strip()}")
    assert answer.get("digest") == made["digest"], answer
    assert log["substituted"]["missing"] == 0, log
    assert pair.same(made)


def test_settings_that_can_not_be(pair):
    for caches in ("https://cache.example", "example-1:AAAA", "https://u:hidden@cache.example nokey"):
        done = subprocess.run([str(BUILD / "bin/cuvette-builder"), "--state", str(pair.second)], text=True, check=False,
                              capture_output=True, timeout=250, stdin=subprocess.DEVNULL,
                              env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "CUVETTE_CACHES": caches})
        assert done.returncode == 1
        assert "CUVETTE_CACHES" in done.stderr
        assert "hidden" not in done.stderr


# --- two machines ---


class Machine:
    """A network namespace, alone but for a cable to the other one."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "600"], stdin=subprocess.DEVNULL)
        self.process = self.url = None
        end = time.monotonic() + 100
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == own:
            assert self.holder.poll() is None and time.monotonic() < end
            time.sleep(0.01)

    def inside(self, *words):
        return ["nsenter", "--target", str(self.holder.pid), "--net", *map(str, words)]

    def do(self, *words):
        return subprocess.run(self.inside(*words), capture_output=True, text=True, check=True, timeout=200,
                              stdin=subprocess.DEVNULL).stdout

    def plug(self, address, port):
        for words in (("link", "set", "lo", "up"), ("addr", "add", f"{address}/30", "dev", port), ("link", "set", port, "up")):
            self.do("ip", *words)

    def here(self, make):
        """What make() gives, with the sockets that it opens being this machine's."""
        def enter():
            with open(f"/proc/{self.holder.pid}/ns/net", "rb") as space:
                if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET) < 0:
                    raise OSError(ctypes.get_errno(), "setns")
            return make()

        # A thread of its own, which ends here: the others stay where they are.
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            return threads.submit(enter).result()

    def serve(self, state, address, log, **env):
        """`cuvette serve` in here, when it is ready."""
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                self.inside(BUILD / "bin/cuvette", "serve", "--listen", f"{address}:8000", "--state", state),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env})
        end = time.monotonic() + 100
        while b"cuvette: ready on" not in log.read_bytes():
            assert self.process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.02)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
            self.process.kill()
            self.process.wait(60)

    def end(self):
        self.stop()
        self.holder.kill()
        self.holder.wait(60)


class Cable:
    """The first's service on one machine, beside an index of the same wheels; what the second
    says on the other one."""

    def __init__(self, pair, folder):
        self.pair, self.folder, self.a, self.b = pair, folder, Machine(), Machine()
        self.code, self.log = folder / "main.py", None

    def __enter__(self):
        try:
            self.a.do("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", self.b.holder.pid)
            self.a.plug("10.77.0.1", "cable0")
            self.b.plug("10.77.0.2", "cable1")
            self.index = self.a.here(lambda: Server(address="10.77.0.1")).__enter__()
            self.a.serve(self.pair.first, "10.77.0.1", self.folder / "a.log", API_KEY=KEY, CACHE_SHARE="1")
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.a.end()
        self.b.end()
        if hasattr(self, "index"):
            self.index.__exit__()

    def second(self, key):
        """The second's service, anew, with the first for its cache."""
        self.b.stop()
        self.log = self.folder / f"b-{time.monotonic_ns()}.log"
        self.b.serve(self.pair.second, "10.77.0.2", self.log, API_KEY="other", **base_settings(self.index.index),
                     CUVETTE_CACHES=f"http://x:{KEY}@10.77.0.1:8000 {key}")

    def run(self, name, *form):
        """The answer to a program of the two packages."""
        module = name.replace("-", "_")
        self.code.write_text(f"import {module}_a, {module}_b\nprint({module}_a.VERSION, {module}_a.__file__)\n")
        words = [word for field in (*form, f"code=@{self.code}", "lint=off", "timeout=60") for word in ("-F", field)]
        text = self.b.do("curl", "-sS", "--max-time", "150", "-H", "X-API-Key: other", *words, "http://10.77.0.2:8000/api/v1/run")
        assert KEY not in self.log.read_text() + text
        return json.loads(text)

    def build(self, name):
        """The same of requirements, which the second may build from the index."""
        for package in ("a", "b"):
            self.index.add(self.pair.wheels[f"{name}-{package}"][0])
        file = self.folder / "requirements.txt"
        file.write_text(f"{name}-a\n")
        return self.run(name, f"requirements=@{file}", f"exclude_newer={DAY}")

    def events(self, name):
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == name]

    def same(self, answer, made):
        """The environment is the first's, to the byte, and the program ran in it."""
        assert answer.get("environment", {}).get("digest") == made["digest"], answer
        assert answer["stdout"].startswith(f"1.0 /nix/store/{made['env']}/"), answer
        return self.pair.same(made)


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces that reach each other are root's to make")
def test_two_machines(pair, tmp_path):
    """The second has a cable to the first, no more: what is signed by its key comes from there, what
    is foreign-signed or tampered with is refused and built instead, and it is the same."""
    made, abroad, spoiled = (pair.make(name) for name in ("cable", "abroad", "spoiled"))
    victim = next(name for name in spoiled["closure"] if "-spoiled-b-" in name)
    pair.copy([victim], pair.server)  # it is packed then
    pair.service.stop()
    [packed] = (pair.first / "nix/nars").glob(f"{victim[:32]}-*")
    packed.write_bytes(other_bytes(packed.read_bytes()))
    try:
        with Cable(pair, tmp_path) as cable:
            cable.second(pair.key.partition(":")[0] + ":" + "A" * 43 + "=")
            answer = cable.run("cable", f"env={made['digest']}")
            assert answer.get("error", {}).get("code") == "environment-unknown", answer
            assert cable.same(cable.build("abroad"), abroad)
            assert {event["why"] for event in cable.events("narinfo-refused")} == {"not signed by a trusted key"}
            assert not cable.events("substituted") and pair.installed("abroad")
            fetched = len(cable.index.seen)

            cable.second(pair.key)
            assert cable.same(cable.run("cable", f"env={made['digest']}"), made)
            assert cable.events("substituted") and not pair.installed("cable")
            assert len(cable.index.seen) == fetched
            assert cable.same(cable.build("spoiled"), spoiled)
            assert [event["path"] for event in cable.events("substitute-refused")] == [victim]
            assert list((pair.second / "nix/nix/store").glob("*-spoiled_b-*.whl"))
    finally:
        pair.service.start()
