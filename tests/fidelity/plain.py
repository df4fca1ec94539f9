# SPDX-License-Identifier: MIT
"""`python main.py` of an image and an environment as it is without a sandbox: by
tests/helpers/plain, which has none of the launcher's code, with the environment
variables said here once more, not asked of what is to be tested."""
import os
import pathlib
import subprocess
import tempfile

FIXED = {"HOME": "/home/cuvette", "USER": "cuvette", "LOGNAME": "cuvette", "HOSTNAME": "cuvette", "LANG": "C.UTF-8",
         "TMPDIR": "/tmp", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
         "NUMEXPR_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1", "BLIS_NUM_THREADS": "1"}


def is_possible() -> bool:
    """Root of a user namespace mostly has no user 1000; an ordinary user may not mount."""
    first, outer, count = pathlib.Path("/proc/self/uid_map").read_text(encoding="ascii").split()[:3]
    return os.geteuid() == 0 and first == outer == "0" and int(count) > 1000


def variables(env: str) -> dict:
    own = f"/nix/store/{env}/bin:" if env else ""
    return {"PATH": own + "/usr/local/bin:/usr/bin:/bin", **FIXED}


def run(helper: pathlib.Path, words: list, env: str, seconds: float) -> tuple:
    """The bytes of stdout and of stderr, and the wait status."""
    with tempfile.TemporaryFile() as result:
        done = subprocess.run([helper, "--result-fd", str(result.fileno()), *words], stdin=subprocess.DEVNULL, capture_output=True,
                              pass_fds=(result.fileno(),), env=variables(env), timeout=seconds, check=False)
        result.seek(0)
        status = result.read()
    assert done.returncode == 0 and status, (status, done.stderr[-500:])
    return done.stdout, done.stderr, int(status)
