# SPDX-License-Identifier: MIT
"""Networks serve one run after the other, cold ones of any tenant: all that a run can read of its own is as it was
before whatever the run before did in it."""
import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suite import launcher, program as programs  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root's alone")

# The whole machine's: what they count is not the network's.
MACHINE = {"softnet_stat", "sockstat", "sockstat6", "protocols", "ptype",
           "netlink"}  # the kernel's own sockets, which each network has
# Counters of attempts that sent nothing: one tenant's, about its own environment (docs/sandbox.md).
ATTEMPTS = {"snmp", "snmp6", "netstat", "dev_snmp6/lo"}
LOOK = """
import json, os
found = {}
for folder, _, names in os.walk("/proc/self/net"):
    for name in names:
        path = os.path.join(folder, name)
        try:
            found[os.path.relpath(path, "/proc/self/net")] = open(path).read()
        except (OSError, UnicodeDecodeError) as error:
            found[os.path.relpath(path, "/proc/self/net")] = type(error).__name__
print(json.dumps(found))
"""
# Each leaves something of another kind behind. in6_flowlabel_req: address, label, action, share, flags, seconds for which
# it outlives its socket.
USES = {"labels": """
import socket, struct
for label in range(1, 40):
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.setsockopt(41, 32, socket.inet_pton(socket.AF_INET6, "fe80::5ec:2e7") + struct.pack("!I", label) +
                         struct.pack("BBHHHI", 0, 255, 1, 60, 60, 0))
            print("label")
    except OSError as error:
        print("no label", error.errno)
""", "groups": """
import socket
for family, level, option, address in ((socket.AF_INET, 0, 35, socket.inet_aton("239.1.2.3") + bytes(4)),
                                       (socket.AF_INET6, 41, 20, socket.inet_pton(socket.AF_INET6, "ff02::123") + bytes(4))):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        try:
            s.setsockopt(level, option, address)
        except OSError as error:
            print(error)
"""} | {f"{kind} to {family}": f"""
import socket
for _ in range(20):
    with socket.socket(socket.{family}, socket.{kind}) as s:
        try:
            s.connect(({address!r}, 9))
            s.send(b"x")
        except OSError as error:
            print(error)
""" for family, address in (("AF_INET", "10.9.8.7"), ("AF_INET6", "2001:db8::1")) for kind in ("SOCK_DGRAM", "SOCK_STREAM")}


@pytest.fixture(scope="module", params=["cold", "zygote"], name="one")
def a_launcher(request):
    running = launcher.Launcher.of_tests(request.param, "--boxes", "1")
    try:
        running.warm(programs.Program("network", "pass\n"))
        yield running
    finally:
        running.close()


def look(one) -> dict:
    """What it can read, all but what is not its own network's."""
    answer = one.send(programs.Program("look", LOOK), [], tenant=None if one.path == "zygote" else "another")
    assert (answer.status, answer.path) == ("success", one.path), answer
    left_out = MACHINE | (ATTEMPTS if one.path == "zygote" else set())
    return {name: text for name, text in json.loads(answer.stdout).items() if name not in left_out}


@pytest.mark.parametrize("use", USES)
def test_nothing_of_a_run_can_be_read_by_the_next(one, use):
    before = look(one)
    assert {"dev", "unix", "tcp6", "ip6_flowlabel"} <= set(before)
    for _ in range(3):
        used = one.send(programs.Program("use", USES[use]), [])
        assert used.status == "success", used
        after = look(one)
        assert {name: after.get(name) for name in before if after.get(name) != before[name]} == {}
        assert set(after) == set(before)
