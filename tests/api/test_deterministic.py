# SPDX-License-Identifier: MIT
"""Runs that are the same each time, and what they are not."""

import client
import pytest

PROGRAM = """\
import os, random, sys
print(hash("text"), hash(b"bytes"), {str(i) for i in range(9)}, sys.flags.hash_randomization)
print(random.random(), random.randrange(10**9), random.sample(range(99), 5))
from random import shuffle
cards = list("abcdefghijklmnopqrst"); shuffle(cards); print(cards)
import tempfile, uuid
print(tempfile.mkdtemp(), tempfile.mkstemp()[1], uuid.uuid3(uuid.NAMESPACE_DNS, "x"))
for _ in range(2):
    if os.fork() == 0:
        print("child", random.random(), flush=True)
        if os.fork() == 0:
            print("grandchild", random.random(), flush=True)
            os._exit(0)
        os.wait()
        os._exit(0)
    os.wait()
print(random.random(), [v for k, v in os.environ.items() if k.endswith("_THREADS")])
"""
SEEN = """\
import os, sys
print(sorted(sys.modules), sys.path, sys.argv, __name__, __file__, type(sys.modules.get("sitecustomize")))
print(sorted(k for k in os.environ if k != "PYTHONHASHSEED"))
print(os.listdir("."), os.listdir(os.path.expanduser("~")), [f for f in sys.path_importer_cache if "cuvette" in f])
print(getattr(sys.modules.get("sitecustomize"), "__file__", None))
import random
print(random.__spec__.loader.exec_module.__func__.__qualname__, random.__loader__ is random.__spec__.loader)
import tempfile
print([getattr(f, "__name__", "?") for f in sys.meta_path if getattr(f, "__name__", "") != "Seeder"][-3:])
raise ValueError("the end")
"""
NUMPY = """\
import random, numpy
print(numpy.random.rand(3), numpy.random.randint(10**9), numpy.random.permutation(9), random.random())
print(numpy.random.RandomState().rand() != numpy.random.default_rng().random())
"""


def run(service, code, **fields):
    answer = service.answer(code, lint="off", **fields)
    assert answer["status"] == "success", answer["stderr"]
    return answer


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_two_deterministic_runs_print_the_same_and_others_do_not(service, python):
    first, second = (run(service, PROGRAM, deterministic="true", python=python) for _ in range(2))
    assert first["stdout"] == second["stdout"]
    assert first["path"] == second["path"] == "cold" and "deterministic" in first["why_cold"]
    lines = first["stdout"].splitlines()
    draws = [line.split()[-1] for line in lines if "child" in line]
    assert len(draws) == 4 and len(set(draws)) == 4, "each child has draws of its own"
    other, another = (run(service, PROGRAM, isolation="strict", python=python)["stdout"].splitlines() for _ in range(2))
    same = [i for i, (a, b, c) in enumerate(zip(lines, other, another)) if a == b or b == c]
    assert not same, [lines[i] for i in same]


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_program_sees_no_more_of_it(service, python):
    seen = service.answer(SEEN, deterministic="true", lint="off", python=python, args=["a"])
    plain = service.answer(SEEN, isolation="strict", lint="off", python=python, args=["a"])
    assert seen["stdout"].replace("Seeder.wrap.<locals>.", "") == plain["stdout"]
    assert (seen["stderr"], seen["return_code"]) == (plain["stderr"], 1)


def test_what_asks_the_system_stays_random(service):
    code = "import os, random, secrets, uuid\nprint(uuid.uuid4(), os.urandom(8), secrets.token_hex(), random.Random().random())\n"
    first, second = (run(service, code, deterministic="on")["stdout"].split() for _ in range(2))
    assert not set(first) & set(second)


def test_it_needs_no_room(service):
    assert run(service, "print(hash(''))\n", deterministic="true", tmp_size="1")["stdout"] == "0\n"


def test_a_file_of_the_name_is_the_programs(service):
    files = [("requirements", ("requirements.txt", b"# none\n", "text/plain")), ("files", ("random.py", b"x = 1\n")),
             ("code", ("main.py", b"import random\nprint(random.x, hasattr(random, 'seed'))\n", "text/x-python"))]
    answer = service.post(files, {"deterministic": "true", "lint": "off"}).json()
    assert answer["stdout"] == "1 False\n", answer["stderr"]


def test_numpys_old_functions_are_seeded(service):
    fields = {"requirements": "numpy==1.26.4\n", "exclude_newer": client.DATE}
    first, second = (run(service, NUMPY, deterministic="true", **fields)["stdout"] for _ in range(2))
    assert first == second and first.endswith("True\n")
    assert first.splitlines()[0] != run(service, NUMPY, **fields)["stdout"].splitlines()[0]


def test_as_json_and_for_each_case(service):
    body = {"requirements": "# none\n", "code": "import random\nprint(hash('a'), random.random())\n", "lint": False,
            "deterministic": True, "timeout": client.RUN_SECONDS, "cases": [{}, {}]}
    with service.client() as http:
        cases = http.post("/api/v1/run", json=body).json()["cases"]
        assert cases[0]["stdout"] == cases[1]["stdout"]
        refused = http.post("/api/v1/run", json={**body, "deterministic": "yes"})
    assert refused.status_code == 422 and "`deterministic`" in refused.json()["error"]["message"]
