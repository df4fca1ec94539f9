# SPDX-License-Identifier: MIT
"""The zygotes' inputs, and whether a store's zygotes were made from them: one for each
Python, of the same sources.

A pinned output's path is known beforehand; the zygote's follows from its sources and
only Nix computes it. So image-store notes beside the state folder's store from what
(a digest of all inputs) its zygote was made: where nothing changed, no Nix is asked.
The note decides nothing but that: a lost or wrong one costs a `nix build` that finds
the path there.
"""
import os

from image_common import IMAGE_DIR, ROOT, Failure, physical, python_suffix, read_images, read_pythons

SOURCES = "worker-image/zygote/sources.txt"
PRELUDE = "lib/base/banned.h"
# What the recipe is made of, apart from the C sources and the pins.
RECIPE = ("flake.nix", "flake.lock", *(os.path.join(os.path.relpath(IMAGE_DIR, ROOT), name) for name in (
    "lib.nix", "rootfs.nix", "zygote.nix", "zygote.py")))


def link(python):
    """The gc root's name of a Python's zygote."""
    return "zygote" + python_suffix(python)


def toolchain(python):
    return "toolchain" + python_suffix(python)


def built_by(python):
    """The images that a build of it needs."""
    return ("worker-image-" + read_pythons()[python], toolchain(python))


def _read(name):
    try:
        with open(os.path.join(ROOT, name), "rb") as file:
            return file.read()
    except OSError as error:
        raise Failure(f"{name}: {error.strerror} (named by {SOURCES} or an #include)") from None


def _includes(text):
    """The names of #include "…"; the same rule as in zygote.nix."""
    for line in text.split(b"\n"):
        words = line.strip(b" \t")
        if words.startswith(b"#") and words[1:].lstrip(b" \t").startswith(b"include"):
            quoted = words.split(b'"')
            if len(quoted) > 2:
                yield quoted[1].decode()


def inputs():
    """{name: content} of the sources with all headers they come to, sorted."""
    listed = _read(SOURCES)
    found = {SOURCES: listed}
    todo = [PRELUDE, *listed.decode().split("\n")]
    while todo:
        name = todo.pop()
        if name and name not in found:
            found[name] = _read(name)
            todo.extend(_includes(found[name]))
    return dict(sorted(found.items()))


def digest(python):
    import hashlib
    found = hashlib.sha256()
    images = read_images()
    pins = [os.path.join(os.path.relpath(IMAGE_DIR, ROOT), images[name][1]) for name in built_by(python)]
    for name, content in {**{name: _read(name) for name in (*RECIPE, *pins)}, **inputs()}.items():
        found.update(f"{name} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


def stage(folder):
    """Copies the C sources into a staged flake."""
    for name, content in inputs().items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


def link_target(state, python):
    """Where the state folder's link leads, if that is there; else None."""
    try:
        path = os.readlink(os.path.join(state, "nix", "nix", "var", "nix", "gcroots", "cuvette", link(python)))
    except OSError:
        return None
    return path if os.path.isdir(physical(state, path)) else None


def _record_file(state, python):
    return os.path.join(state, link(python) + ".made")


def is_made(state, python, inputs_digest):
    """Whether the store's zygote is the one of these inputs."""
    path = link_target(state, python)
    try:
        with open(_record_file(state, python), encoding="ascii") as file:
            return path is not None and file.read() == f"{inputs_digest} {path}\n"
    except (OSError, UnicodeDecodeError):
        return False


def record(state, python, inputs_digest, path):
    file_name = _record_file(state, python)
    with open(file_name + ".new", "w", encoding="ascii") as file:
        file.write(f"{inputs_digest} {path}\n")
    os.replace(file_name + ".new", file_name)
