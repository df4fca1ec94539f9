# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""Source distributions, built in boxes of a real launcher."""
import hashlib
import json
import os
import re
import subprocess
import tarfile
import tempfile
import time

import pytest
from helpers import ANSWER_S, BUILD, BUILDER, ENVASK, ROOT, ask, clean_state, ids, nix, physical, suite_state
from sdists import PLAIN, Index, own, sdist, serving
from served import Server, wheel

LAUNCHER = BUILD / "bin" / "cuvette-launcher"
SETUP_PY = "from setuptools import setup\nsetup(name='{0}', version='1.0', py_modules=['{0}'])\n"


def forget_what_was_built():
    """The store keeps its environments; what was built is neither known nor at hand."""
    for folder in ("sdists", "known"):
        for file in (suite_state() / "nix" / folder).glob("*"):
            if folder == "sdists" or "cuv_" in file.name:
                file.unlink()


@pytest.fixture(scope="module")
def index():
    forget_what_was_built()
    made = Index()
    with serving(made) as address:
        made.address = address
        yield made


def request(index, requirements, *options, log=False, more=""):
    """One answer, with the index (and more of them) beside the machine's own."""
    found = ask(suite_state(), requirements, "--launcher", str(LAUNCHER), *options,
                env={"UV_INDEX": f"{more} {index.address}".strip(),
                     "CUVETTE_TRUSTED_ORIGINS": index.address.removesuffix("/simple")}, log=log)
    return (found[0][0], found[1]) if log else found[0]


def built(index, requirements, *options):
    answer = request(index, requirements, *options)
    assert "failure" not in answer, answer
    return answer


def failure(index, requirements, *options, more=""):
    answer = request(index, requirements, *options, more=more)
    assert "failure" in answer, answer
    said = answer["failure"]["message"] + answer["failure"]["explanation"]
    assert "://" not in said and "/box/" not in said and str(suite_state()) not in said and "/nix/" not in said
    return answer["failure"]


def complete_lock(answer):
    digest = answer["lock_digest"].removeprefix("sha256:")
    return json.loads((suite_state() / "nix/locks" / f"{digest}.json").read_text())


def test_setup_py_only(index):
    """The oldest kind there is; and the same again by what is recorded."""
    data = sdist("cuv-old", "1.0", {"setup.py": SETUP_PY.format("cuv_old"), "cuv_old.py": "VALUE = 1\n"})
    index.add_sdist("cuv-old", data)
    answer, log = request(index, "cuv-old==1.0\n", log=True)
    assert answer["packages"] == ["cuv-old 1.0"], answer
    assert '"event":"sdist-built"' in log and '"rebuilt":"same"' in log
    [package] = complete_lock(answer)["packages"]
    assert package["file"] == "cuv_old-1.0-py3-none-any.whl" and package["origin"]["kind"] == "built"
    assert package["origin"]["file"] == "cuv-old-1.0.tar.gz" and len(package["origin"]["sha256"]) == 64
    [module] = physical(suite_state(), answer["closure"][1]).glob("lib/python3.11/site-packages/cuv_old.py")
    assert module.read_text() == "VALUE = 1\n"
    again, log = request(index, "cuv-old>=1\n", log=True)
    assert again["digest"] == answer["digest"] and "sdist-built" not in log and "run-done" not in log


def test_dependencies_are_found_by_building(index):
    """Only the wheel says what it needs, and that is a source distribution, too."""
    code = "def build_wheel(folder, config=None, metadata=None):\n    return wheel(folder, requires=['cuv_below>=1'])\n"
    index.add_sdist("cuv_above", own("cuv_above", code))
    index.add_sdist("cuv_below", own("cuv_below"))
    assert built(index, "cuv_above\n")["packages"] == ["cuv-above 1.0", "cuv-below 1.0"]


def test_the_version_that_the_resolver_would_choose(index):
    """A newer version without a wheel before an older one with one; in the next file it does without."""
    index.add_sdist("cuv_newer", own("cuv_newer", version="2.0"), "2.0")
    index.add("cuv-newer", "cuv_newer-1.0-py3-none-any.whl", own_wheel("cuv_newer", "1.0"))
    assert built(index, "cuv-newer\n")["packages"] == ["cuv-newer 2.0"]
    assert built(index, "cuv-newer<2\n")["packages"] == ["cuv-newer 1.0"]
    # Nothing of a build is the resolver's: where its environment would be, there is a file.
    assert (suite_state() / "nix/uv-cache/builds-v0").read_bytes() == b""


def test_a_wheel_is_taken_where_a_build_fails(index):
    index.add_sdist("cuv_both", own("cuv_both", "raise SystemExit('not to be built')", version="2.0"), "2.0")
    index.add("cuv-both", "cuv_both-1.0-py3-none-any.whl", own_wheel("cuv_both", "1.0"))
    assert built(index, "cuv-both\n")["packages"] == ["cuv-both 1.0"]


def own_wheel(name, version):
    import tempfile
    from sdists import BACKEND
    space = {}
    exec(BACKEND.format(name=name, version=version, code=""), space)  # noqa: S102
    with tempfile.TemporaryDirectory() as folder:
        file = space["wheel"](folder)
        with open(os.path.join(folder, file), "rb") as data:
            return data.read()


def test_requirements_that_only_the_backend_knows(index):
    index.add("cuv-helper", "cuv_helper-1.0-py3-none-any.whl", own_wheel("cuv_helper", "1.0"))
    code = ("def get_requires_for_build_wheel(config=None):\n    return ['cuv-helper==1.0']\n"
            "def build_wheel(folder, config=None, metadata=None):\n"
            "    import cuv_helper\n    return wheel(folder, files={'cuv_asks.py': str(cuv_helper.VALUE)})\n")
    index.add_sdist("cuv-asks", own("cuv_asks", code))
    assert built(index, "cuv-asks\n")["packages"] == ["cuv-asks 1.0"]


def hostile(code):
    return "def build_wheel(folder, config=None, metadata=None):\n" + "".join(
        f"    {line}\n" for line in code.splitlines())


# name: (what the backend does, code, what the message or explanation says)
HOSTILE = {
    "network": ("import socket\nsocket.create_connection(('127.0.0.1', PORT), 3)\nreturn wheel(folder)",
                "build-failed", "Connection refused"),
    "name": ("return wheel(folder, name='other')", "build-failed", "another wheel"),
    "version": ("return wheel(folder, version='9')", "build-failed", "another wheel"),
    "platform": ("return wheel(folder, tag='cp39-cp39-win_amd64')", "build-failed", "does not fit"),
    "path": ("return '../../etc/passwd'", "build-failed", "no wheel's name"),
    "nothing": ("return 'cuv_nothing-1.0-py3-none-any.whl'", "build-failed", "can't be read"),
    "link": ("f = 'cuv_link-1.0-py3-none-any.whl'\nos.symlink('/etc/passwd', os.path.join(folder, f))\nreturn f",
             "build-failed", "can't be read"),
    "absolute": ("return wheel(folder, files={'/tmp/x.py': ''})", "build-failed", "wheel"),
    "outside": ("return wheel(folder, files={'../../x.py': ''})", "build-failed", "wheel"),
    "flood": ("import sys\nwhile True: sys.stderr.write('x' * 65536)", "build-failed", "prints more than"),
    "exit": ("print('the reason is this', flush=True)\nos._exit(3)", "build-failed", "the reason is this"),
    "kill": ("import signal\nos.kill(os.getppid(), signal.SIGKILL)", "build-failed", ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_builds_that_must_not_succeed(index, name):
    code, error, text = HOSTILE[name]
    project = f"cuv_{name}"
    port = re.search(r":(\d+)/", index.address)[1]
    index.add_sdist(f"cuv-{name}", own(project, hostile(code.replace("PORT", port))))
    before = len(index.asked)
    found = failure(index, f"cuv-{name}\n")
    # What the installer refuses is about a wheel and no line of anybody's.
    assert found["code"] == error and found["line"] == (name not in ("absolute", "outside")), found
    assert text in found["message"] + found["explanation"], found
    assert all(path.startswith(("/simple/cuv-", f"/files/cuv-{name}/")) for path in index.asked[before:])


def test_a_build_without_end(index):
    for n in range(4):  # on a machine that stands still the time may be over before it has begun
        index.add_sdist(f"cuv-endless{n}", own(f"cuv_endless{n}", hostile("import time\ntime.sleep(600)")))
        found = failure(index, f"cuv-endless{n}\n", "--build-ms", "3000")
        assert found["code"] == "build-timeout"
        if f"cuv-endless{n} 1.0" in found["message"]:
            return
    raise AssertionError(found)


def test_all_steps_together_have_one_deadline(index):
    """Neither step takes longer than its limit, but what is left of both is too little for the second."""
    index.add_sdist("cuv-slow", own("cuv_slow", hostile("import time\ntime.sleep(3)\nreturn wheel(folder)")))
    with Server() as server:
        path = server.add(wheel("cuv-late"))
        server.behaviours[path] = lambda reply: (time.sleep(3.5), reply.whole())
        found = failure(index, "cuv-slow\ncuv-late\n", "--resolve-ms", "2000", "--build-ms", "4000",
                        more=server.index)
    assert found["code"] in ("build-timeout", "resolve-timeout"), found


ESCAPE = """
import glob, subprocess
told = []
for path in glob.glob('/nix/store/*') + ['/usr', '/usr/bin/python3.11', '/etc/passwd']:
    for attempt in (lambda: os.chmod(path, 0o777), lambda: open(path + '/new', 'w'), lambda: open(path, 'w')):
        try:
            attempt()
            told.append(path)
        except OSError:
            pass
for root in glob.glob('/nix/store/*'):
    for folder, _, files in os.walk(root):
        for file in files[:3]:
            try:
                os.chmod(os.path.join(folder, file), 0o666)
                with open(os.path.join(folder, file), 'a') as f: f.write('changed')
                told.append(file)
            except OSError:
                pass
for call in (lambda: os.setuid(0), lambda: os.chroot('/'), lambda: os.mkdir('/new'),
             lambda: os.mknod('/tmp/dev', 0o660 | 0o020000, 0x0103)):
    try:
        call()
        told.append(repr(call))
    except OSError:
        pass
assert not told, told
seen = sorted(os.listdir('/nix/store'))
return wheel(folder_, files={'cuv_escape.py': f'SEEN = {seen!r}\\n'})
"""


def test_a_build_that_tries_to_get_out(index):
    """It sees its build requirements and nothing else, and can change none of it."""
    index.add("cuv-helper", "cuv_helper-1.0-py3-none-any.whl", own_wheel("cuv_helper", "1.0"))
    index.add_sdist("cuv-escape", own("cuv_escape", hostile("folder_ = folder\n" + ESCAPE), requires=["cuv-helper"]))
    answer = built(index, "cuv-escape\n")
    module = physical(suite_state(), answer["closure"][1]) / "lib/python3.11/site-packages/cuv_escape.py"
    seen = json.loads(module.read_text().removeprefix("SEEN = ").replace("'", '"'))
    assert len(seen) == 2 and seen[0].endswith("-cuvette-environment") != seen[1].endswith("-cuvette-environment")
    nix(suite_state(), "nix-store", "--verify-path", *(f"/nix/store/{name}" for name in [*seen, answer["image"]]))


def link(name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


@pytest.mark.parametrize(("name", "member", "text"), [
    ("climbs", tarfile.TarInfo("../../outside"), "outside its folder"),
    ("rooted", tarfile.TarInfo("/tmp/outside"), "outside its folder"),
    ("linked", link("cuv_linked-1.0/x", "../../etc"), "leads outside"),
])
def test_hostile_archives(index, name, member, text):
    index.add_sdist(f"cuv-{name}", own(f"cuv_{name}", more={"member": member}))
    found = failure(index, f"cuv-{name}\n")
    assert found["code"] == "build-failed" and text in found["message"], found


@pytest.mark.parametrize("requires", ["x @ http://127.0.0.1/x.whl", "-r /etc/passwd", "../x", "a\\nb",
                                      " --index-url http://127.0.0.1/simple"])
def test_build_requirements_that_are_not_served(index, requires):
    name = f"cuv-asks-{abs(hash(requires)) % 10**8}"
    index.add_sdist(name, own(name.replace("-", "_"), requires=[requires]))
    assert failure(index, f"{name}\n")["code"] == "build-failed"


def test_hash_lists_are_about_the_source(index):
    data = own("cuv_hashed")
    index.add_sdist("cuv-hashed", data)
    good = hashlib.sha256(data).hexdigest()
    assert built(index, f"cuv-hashed==1.0 --hash=sha256:{good}\n")["packages"] == ["cuv-hashed 1.0"]
    found = failure(index, f"cuv-hashed==1.0 --hash=sha256:{'0' * 64}\n")
    assert found["code"] == "hash-mismatch", found


def test_a_lock_with_a_source(index):
    """It is built from the source by its hash, and must come to the wheel that is named."""
    data = own("cuv_locked")
    index.add_sdist("cuv-locked", data)
    first = built(index, "cuv-locked\n")
    lock = complete_lock(first)
    [package] = lock["packages"]
    assert package["origin"]["as_of"] == first["exclude_s"] and package["origin"]["rebuilt"] == "same"
    assert "url" not in package and package["origin"]["url"].startswith("http://127.0.0.1")
    # An environment of a run before has what it was made of then.
    package["origin"] |= {"user_url": True, "sha256": hashlib.sha256(data).hexdigest(),
                          "url": f"{index.address[:-7]}/files/cuv-locked/cuv-locked-1.0.tar.gz"}
    forget_what_was_built()
    answer, log = request(index, json.dumps(lock), "--lock", log=True)
    assert answer.get("digest") == first["digest"] and "sdist-built" in log, json.dumps(answer)
    pending = {**lock, "packages": [{key: package[key] for key in ("name", "version", "origin")}]}
    assert built(index, json.dumps(pending), "--lock")["digest"] == first["digest"]
    [wrong] = json.loads(json.dumps(lock))["packages"]
    wrong["sha256"] = "0" * 64
    found = failure(index, json.dumps({**lock, "packages": [wrong]}), "--lock")
    assert found["code"] == "hash-mismatch" and "built again" in found["message"], found
    [off] = ask(suite_state(), json.dumps({**lock, "packages": [wrong]}), "--lock", env={"UV_INDEX": index.address})
    assert off["failure"]["code"] == "wheel-unavailable", off


def test_bytes_that_differ_are_told(index):
    code = hostile("return wheel(folder, files={'cuv_random.py': os.urandom(8).hex()})")
    index.add_sdist("cuv-random", own("cuv_random", code))
    answer, log = request(index, "cuv-random\n", log=True)
    assert '"rebuilt":"differs"' in log
    assert built(index, "cuv-random>=1\n")["lock_digest"] == answer["lock_digest"]


def test_what_was_built_is_collected_with_its_lock(index):
    """Not before: what comes out otherwise each time could not be made again. And what is
    gone with it and is the same each time comes again from the lock that was answered."""
    random = hostile("return wheel(folder, files={'cuv_other.py': os.urandom(8).hex()})")
    index.add_sdist("cuv-other", own("cuv_other", random))
    index.add_sdist("cuv-plain", own("cuv_plain"))

    def made(requirements, *options):
        [answer], log = ask(state, requirements, "--launcher", str(LAUNCHER), *options, log=True,
                            env={"UV_INDEX": index.address,
                                 "CUVETTE_TRUSTED_ORIGINS": index.address.removesuffix("/simple")})
        assert "failure" not in answer, answer
        return answer, "sdist-built" in log

    def wheels():
        return sorted(path.name[33:] for path in (state / "nix/nix/store").glob("*-cuv_*.whl"))

    def lock_of(answer):
        return json.loads((state / "nix/locks" / f"{answer['lock_digest'].removeprefix('sha256:')}.json").read_text())

    with clean_state() as state:
        first, other = made("cuv-plain\n")[0], made("cuv-other\n")[0]
        collect = [str(ENVASK), "--builder", str(BUILDER), "--state", str(state), *ids(state), "--chore", "gc"]
        subprocess.run(collect, check=True, capture_output=True, timeout=ANSWER_S)
        assert wheels() == ["cuv_other-1.0-py3-none-any.whl", "cuv_plain-1.0-py3-none-any.whl"]
        again, built = made("cuv-other>=1\n")
        assert again["digest"] == other["digest"] and not built
        lock = lock_of(first)
        lock["packages"][0]["origin"] |= {"user_url": True}
        subprocess.run([*collect, "--count", "0"], check=True, capture_output=True, timeout=ANSWER_S)
        assert wheels() == [] and list((state / "nix/nix/var/nix/gcroots/cuvette/wheel").iterdir()) == []
        again, built = made(json.dumps(lock), "--lock")
        assert again["digest"] == first["digest"] and built


def test_a_lock_without_an_environment_is_not_kept_for_ever(index):
    """Nor what was built for it: `env lock` installs nothing that would go one day."""
    index.add_sdist("cuv-locked", own("cuv_locked"))

    def collected(*options):
        done = subprocess.run([str(ENVASK), "--builder", str(BUILDER), "--state", str(state), *ids(state), "--chore", "gc",
                               *options], check=True, capture_output=True, timeout=ANSWER_S)
        return json.loads(done.stdout)["locks"]

    def there():
        records = [path.suffix for path in (state / "nix/locks").iterdir() if "cuv_locked" in path.read_text()]
        return sorted(records), len(list((state / "nix/nix/store").glob("*-cuv_locked-*.whl")))

    def age(days):
        for file in (state / "nix/locks").glob("*.json"):
            then = time.time() - days * 86400
            os.utime(file, (then, then))

    def locked():
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "NETRC": "/dev/null", "UV_DEFAULT_INDEX": index.address}
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("cuv-locked\n")
            file.flush()
            done = subprocess.run([str(BUILD / "bin/cuvette"), "env", "lock", "--state", str(state), "--exclude-newer", "2024-09-01",
                                   "-r", file.name],
                                  env=env, capture_output=True, text=True, check=False, timeout=ANSWER_S)
        assert done.returncode == 0 and "cuv_locked-1.0" in done.stdout, done
        return done.stdout

    with clean_state() as state:
        first = locked()
        age(29)
        assert collected() == 0 and there() == ([".json", ".toml"], 1)
        assert collected("--count", "1000000", "--bytes", "1") == 1 and there() == ([], 0)
        assert locked() == first
        assert collected("--count", "0") == 0  # its answer may be under way
        age(31)
        assert locked() == first  # asked for again
        assert collected() == 0
        age(31)
        assert collected() == 1 and there() == ([], 0)


def test_off(index):
    """Who does not ask for it, or has no launcher, gets what there was before."""
    index.add_sdist("cuv-off", own("cuv_off"))
    [answer] = ask(suite_state(), "cuv-off\n", env={"UV_INDEX": index.address})
    assert answer["failure"]["code"] == "wheel-unavailable" and "cuv-off" in answer["failure"]["message"]


# --- with a compiler ---

@pytest.fixture(scope="module")
def build_root():
    done = subprocess.run([ROOT / "tools/image-store", suite_state(), "--unpacker", BUILD / "bin/cuvette-unpack",
                           "--only", "build-root", "--python", "all"], capture_output=True, text=True,
                          timeout=ANSWER_S, check=False)
    assert done.returncode == 0, done.stderr


C_SOURCE = """#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "cuv_c", 0, -1, methods};
PyMODINIT_FUNC PyInit_cuv_c(void) { return PyModule_Create(&module); }
"""
C_SETUP = ("from setuptools import setup, Extension\n"
           "setup(name='cuv-c', version='1.0', ext_modules=[Extension('cuv_c', ['cuv_c.c'])])\n")


def test_without_a_compiler(index):
    link = suite_state() / "nix/nix/var/nix/gcroots/cuvette/worker-image-build-python311"
    target = os.readlink(link) if link.is_symlink() else None
    if target:
        link.unlink()
    try:
        index.add_sdist("cuv-none", own("cuv_none", more={"x.c": ""}))
        found = failure(index, "cuv-none\n")
        assert found["code"] == "wheel-unavailable" and "make build-root" in found["message"]
    finally:
        if target:
            link.symlink_to(target)


def test_c_extension(index, build_root):
    index.add_sdist("cuv-c", sdist("cuv-c", "1.0", {"setup.py": C_SETUP, "cuv_c.c": C_SOURCE}))
    answer, log = request(index, "cuv-c\n", log=True)
    assert answer.get("packages") == ["cuv-c 1.0"] and '"rebuilt":"same"' in log, answer
    [package] = complete_lock(answer)["packages"]
    assert package["file"] == "cuv_c-1.0-cp311-cp311-linux_x86_64.whl"


def test_c_extension_for_another_python(index, build_root):
    index.add_sdist("cuv-c", sdist("cuv-c", "1.0", {"setup.py": C_SETUP, "cuv_c.c": C_SOURCE}))
    answer, log = request(index, "cuv-c\n", "--python", "3.13", log=True)
    assert answer.get("packages") == ["cuv-c 1.0"] and '"rebuilt":"same"' in log, answer
    [package] = complete_lock(answer)["packages"]
    assert package["file"] == "cuv_c-1.0-cp313-cp313-linux_x86_64.whl"
    [module] = physical(suite_state(), answer["closure"][1]).glob("lib/python3.13/site-packages/cuv_c*.so")
    assert module.name == "cuv_c.cpython-313-x86_64-linux-gnu.so"


def test_cython_in_the_build_requirements(index, build_root):
    setup = ("from setuptools import setup\nfrom Cython.Build import cythonize\n"
             "setup(name='cuv-cy', version='1.0', ext_modules=cythonize('cuv_cy.pyx'))\n")
    index.add_sdist("cuv-cy", sdist("cuv-cy", "1.0", {
        "setup.py": setup, "cuv_cy.pyx": "def answer():\n    return 42\n",
        "pyproject.toml": '[build-system]\nrequires = ["setuptools", "Cython>=3"]\n'
                          'build-backend = "setuptools.build_meta"\n'}))
    assert built(index, "cuv-cy\n")["packages"] == ["cuv-cy 1.0"]


def test_docopt_from_the_index(index):
    answer = built(index, "docopt==0.6.2\n")
    assert answer["packages"] == ["docopt 0.6.2"]
    assert PLAIN and complete_lock(answer)["packages"][0]["origin"]["file"] == "docopt-0.6.2.tar.gz"
