# SPDX-License-Identifier: MIT
"""Locks of a test's own, and what `cuvette` makes of them."""
import hashlib
import os
import subprocess
import tempfile

from helpers import BUILD, nix

HEAD = 'lock-version = "1.0"\ncreated-by = "a test"\n'


def sha(data):
    return hashlib.sha256(data).hexdigest()


def hashed(data):
    return f'hashes = {{ sha256 = "{sha(data)}" }}'


def wheels(place, data):
    return f'wheels = [{{ {place}, {hashed(data)} }}]'


def sdist(place, data):
    return f'sdist = {{ {place}, {hashed(data)} }}'


class Locker:
    """A state, and what is asked of `cuvette` about it."""

    def __init__(self, state, **environment):
        self.state, self.environment = state, {"NETRC": "/dev/null", **environment}

    def cuvette(self, *words, **more):
        return subprocess.run([str(BUILD / "bin/cuvette"), *words, "--state", str(self.state)], text=True, check=False,
                              env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **self.environment, **more},
                              capture_output=True, timeout=250, stdin=subprocess.DEVNULL)

    def build(self, lock, **more):
        """(digest, "") or (None, why not)."""
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(lock)
            file.flush()
            done = self.cuvette("env", "build", "--lock", file.name, **more)
        assert done.returncode in (0, 2), done
        return (done.stdout.strip(), "") if done.returncode == 0 else (None, done.stderr)

    def lock_of(self, digest):
        done = self.cuvette("env", "lock", digest)
        assert done.returncode == 0, done
        return done.stdout

    def public(self, name):
        return any((self.state / "nix/public-3").glob(f"*-{name}-1.0"))

    def forget(self):
        """The environments, and what they were made of: what a collection takes when the records of locks are gone."""
        assert self.cuvette("env", "gc", "--env-count", "0").returncode == 0
        for link in (self.state / "nix/nix/var/nix/gcroots/cuvette/wheel").glob("*/*"):
            link.unlink()
        nix(self.state, "nix-store", "--gc")
