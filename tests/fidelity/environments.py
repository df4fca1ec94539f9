# SPDX-License-Identifier: MIT
"""Environments made by hand, for what a package may do when it is imported. A test of
what an import does needs no index; numpy comes from one, by the builder."""
import hashlib
import os
import pathlib
import shutil

NIX32 = "0123456789abcdfghijklmnpqrsvwxyz"
# Which Python the whole suite is about (tests/README.md).
PYTHON = os.environ.get("CUVETTE_TEST_PYTHON", "3.11")
SITE = f"lib/python{PYTHON}/site-packages"

# environment: {file in site-packages: text}
MADE = {
    "custom": {"sitecustomize.py": "import builtins\nbuiltins.set_by_sitecustomize = 'was here'\n"},
    "talking": {"sitecustomize.py": "import os\nprint('sitecustomize in', os.path.basename(os.getcwd()))\n"},
    "packages": {
        "quiet/__init__.py": "value = 'quiet'\nasked = __name__\n",
        "quiet/part.py": "where = __package__\n",
        "prints.py": "import sys\nvalue = 3\nprint('printed by an import')\nprint('and here', file=sys.stderr)\n",
        "fails/__init__.py": "import fails.part\nraise ValueError('this import fails')\n",
        "fails/part.py": "raise_again = True\nprint('part of fails')\n",
        "exits.py": "import sys\nsys.exit('an import that exits')\n",
        "interrupts.py": "raise KeyboardInterrupt\n",
        "threads.py": "import queue\nimport threading\n_q = queue.Queue()\n"
                      "threading.Thread(target=lambda: _q.put('from a thread'), daemon=True).start()\n"
                      "_idle = threading.Thread(target=threading.Event().wait, daemon=True)\n_idle.start()\n\n\n"
                      "def result():\n    return _q.get(timeout=50), _idle.is_alive()\n",
        "changes.py": "import os\nimport signal\nimport sys\nos.environ['CHANGED'] = 'yes'\nos.chdir('/tmp')\nos.umask(0o77)\n"
                      "signal.signal(signal.SIGUSR1, signal.SIG_IGN)\nsys.setrecursionlimit(2345)\nsys.path.append('/added')\n",
        # OpenSSL's generator, once it has been used, goes on in a child that it does not know for one.
        "seeded.py": "import random\nimport ssl\nimport uuid\nfirst = ssl.RAND_bytes(8), random.random(), uuid.uuid4()\n",
        "opens.py": "import os\nfd = os.open('/dev/null', os.O_RDONLY)\n",
        "namespace/inner.py": "",
        "_private.py": "raise SystemError('private modules are nobody\\'s to import')\n",
        "tests/__init__.py": "raise SystemError('tests are not imported')\n",
    },
}


def name_of(kind: str) -> str:
    text = repr((PYTHON, sorted(MADE[kind].items()))).encode()
    return "".join(NIX32[b % 32] for b in hashlib.sha256(text).digest()) + f"-fidelity-{kind}"


def make(store: pathlib.Path, kind: str) -> str:
    """Its store name. As nixenv/nix/farm.py lays one out."""
    name = name_of(kind)
    folder = store / name
    if folder.exists():
        return name
    new = store / f".new-{os.getpid()}-{name}"
    shutil.rmtree(new, ignore_errors=True)
    for file, text in MADE[kind].items():
        path = new / SITE / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (new / "bin").mkdir()
    for python in ("python", "python3", f"python{PYTHON}"):
        (new / "bin" / python).symlink_to(f"/usr/bin/python{PYTHON}")
    (new / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    new.rename(folder)
    return name
