# SPDX-License-Identifier: MIT
"""Python packages that tests and benchmarks are run with: listed with their hashes, and installed once by pip
from the machine's own index."""

import hashlib
import pathlib
import shutil
import subprocess


def install(pins: pathlib.Path, build: pathlib.Path) -> pathlib.Path:
    """The folder that has them, for PYTHONPATH; pins is a requirements file."""
    folder = build / f"{pins.parent.name}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run(["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--require-hashes", "--only-binary", ":all:", "--root-user-action", "ignore", "--target", unfinished,
                        "-r", pins], check=True, timeout=600, stdin=subprocess.DEVNULL)
        unfinished.rename(folder)
    return folder
