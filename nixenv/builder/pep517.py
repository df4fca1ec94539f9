# SPDX-License-Identifier: MIT
"""From a source distribution to a wheel, inside a box of the launcher.

cuvette-builder speaks with this program over stdin, a stream socket, in frames: a
letter, eight bytes of length (most significant first), and so many bytes.

  in   J  {"mode": "inspect" | "build", "known": [requirement, …], "wheel_max": bytes,
           "subdirectory": of the source, which becomes the top (may be missing)}
       S  the source distribution
  out  R  {"requires": [requirement, …], "compiled": bool}   (inspect)
       D  [requirement, …]: the backend asks for these beyond the known ones
       N  the wheel's file name, and then
       W  the wheel
       E  why there is nothing of that, in one line

From the unpacking on everything is foreign: the archive, its settings, the backend,
which runs in a process of its own but as the same user. So nobody believes what
comes out of here, and all that this program is careful about is to end with a
reason rather than by accident."""
import importlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile

SOURCE = "/box/src"
WHEELS = "/box/wheel"
SDIST = "/tmp/sdist"
RESULT = "/tmp/result.json"
LEGACY = "setuptools.build_meta:__legacy__"
LEGACY_REQUIRES = ["setuptools>=40.8.0"]
# 1980-01-01, the first instant that a zip archive can name.
EPOCH = 315532800
SOURCE_BYTES_MAX = 256 << 20
MEMBERS_MAX = 60000
# What only a compiler can read, or what is made to call one.
COMPILED = (".c", ".cc", ".cpp", ".cxx", ".pyx", ".f", ".f90", ".for")
COMPILING = {"cffi", "cmake", "cython", "meson", "meson-python", "nanobind", "pybind11", "scikit-build",
             "scikit-build-core"}


class Failure(Exception):
    """A reason for the E frame."""


# --- the stream ---

class Stream:
    def __init__(self):
        """Takes stdin over: what is started from here prints to stderr and reads nothing."""
        self.fd = os.dup(0)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(2, 1)

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            part = os.read(self.fd, min(size - len(data), 1 << 20))
            if not part:
                raise Failure("the builder went away")
            data += part
        return bytes(data)

    def expect(self, letter, size_max):
        kind, size = struct.unpack(">cQ", self.read(9))
        if kind != letter or size > size_max:
            raise Failure("the builder sent something else than was expected")
        return size

    def write(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view[:1 << 20]):]

    def send(self, letter, data):
        self.write(struct.pack(">cQ", letter, len(data)) + data)

    def send_json(self, letter, value):
        self.send(letter, json.dumps(value).encode())


def receive(stream):
    """The job, and the source distribution as a file."""
    job = json.loads(stream.read(stream.expect(b"J", 1 << 20)))
    left = stream.expect(b"S", SOURCE_BYTES_MAX)
    with open(SDIST, "wb") as file:
        while left > 0:
            part = stream.read(min(left, 1 << 20))
            file.write(part)
            left -= len(part)
    return job


# --- unpacking ---

def parts_of(name):
    """A member's path as a list; a path that leads outside is refused."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name or "\\" in name:
        raise Failure("the archive has a member outside its folder")
    return parts


def stays_inside(parts, target):
    """Whether a link in that place, read letter by letter, leads into the archive's folder."""
    if target.startswith("/"):
        return False
    depth = len(parts) - 1
    for part in target.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 1:
            return False
    return True


def write_file(path, source, executable, mtime):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    os.chmod(path, 0o755 if executable else 0o644)
    mtime = min(max(int(mtime), EPOCH), 1 << 33)
    os.utime(path, (mtime, mtime))


def unpack_tar(folder):
    with tarfile.open(SDIST, "r:*") as archive:
        for count, member in enumerate(archive):
            parts = parts_of(member.name)
            path = os.path.join(folder, *parts)
            if count >= MEMBERS_MAX:
                raise Failure(f"the archive has more than {MEMBERS_MAX} members")
            if member.isdir():
                os.makedirs(path, exist_ok=True)
            elif member.isreg():
                write_file(path, archive.extractfile(member), member.mode & 0o100, member.mtime)
            elif member.issym() and stays_inside(parts, member.linkname):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.symlink(member.linkname, path)
            elif member.islnk():
                with open(os.path.join(folder, *parts_of(member.linkname)), "rb") as source:
                    write_file(path, source, member.mode & 0o100, member.mtime)
            elif member.issym():
                raise Failure("the archive has a link that leads outside its folder")
            else:
                raise Failure("the archive has a member that is no file, folder or link")


def unpack_zip(folder):
    with zipfile.ZipFile(SDIST) as archive:
        members = archive.infolist()
        if len(members) > MEMBERS_MAX:
            raise Failure(f"the archive has more than {MEMBERS_MAX} members")
        for member in members:
            path = os.path.join(folder, *parts_of(member.filename))
            if member.is_dir():
                os.makedirs(path, exist_ok=True)
                continue
            with archive.open(member) as source:
                write_file(path, source, (member.external_attr >> 16) & 0o100, EPOCH)


def unpack(subdirectory):
    """The project's folder is always the same, so that paths in what is built are."""
    folder = "/box/unpacked"
    os.mkdir(folder)
    try:
        (unpack_zip if zipfile.is_zipfile(SDIST) else unpack_tar)(folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError,
            ValueError) as error:
        raise Failure(f"the archive can't be unpacked: {type(error).__name__}: {error}") from None
    names = os.listdir(folder)
    if len(names) == 1 and os.path.isdir(os.path.join(folder, names[0])):
        folder = os.path.join(folder, names[0])
    if subdirectory:
        folder = os.path.join(folder, *parts_of(subdirectory))
        if os.path.islink(folder) or not os.path.isdir(folder):
            raise Failure("the archive has no such subdirectory")
    os.rename(folder, SOURCE)
    os.unlink(SDIST)


# --- what the project says ---

def is_strings(value):
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def build_system():
    """(requirements, backend, folders of an in-tree backend)."""
    path = os.path.join(SOURCE, "pyproject.toml")
    if not os.path.lexists(path):
        if not os.path.lexists(os.path.join(SOURCE, "setup.py")):
            raise Failure("it has neither pyproject.toml nor setup.py")
        return LEGACY_REQUIRES, LEGACY, []
    import tomllib
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file).get("build-system")
    except (OSError, ValueError, RecursionError) as error:
        raise Failure(f"its pyproject.toml can't be read: {error}") from None
    if table is None:
        return LEGACY_REQUIRES, LEGACY, []
    if not isinstance(table, dict) or not is_strings(table.get("requires")):
        raise Failure("its pyproject.toml names no build-system.requires")
    backend = table.get("build-backend", LEGACY)
    paths = table.get("backend-path", [])
    if not isinstance(backend, str) or not is_strings(paths):
        raise Failure("its pyproject.toml has a build-system of an unknown form")
    for folder in paths:
        parts_of(folder)
    return table["requires"], backend, paths


def name_of(requirement):
    end = 0
    while end < len(requirement) and (requirement[end].isalnum() or requirement[end] in "-_."):
        end += 1
    return requirement[:end].lower().replace("_", "-").replace(".", "-")


def is_compiled(requires):
    if any(name_of(requirement) in COMPILING for requirement in requires):
        return True
    return any(name.lower().endswith(COMPILED) for _, _, files in os.walk(SOURCE) for name in files)


# --- the backend ---

def hook(name, backend, *folders):
    """One call of the backend, in a process of its own."""
    sys.path[:0] = [os.path.join(SOURCE, folder) for folder in folders]
    module, _, attributes = backend.partition(":")
    where = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        where = getattr(where, attribute)
    if name == "requires":
        ask = getattr(where, "get_requires_for_build_wheel", None)
        result = list(ask({})) if ask else []
    else:
        result = where.build_wheel(WHEELS, {}, None)
    with open(RESULT, "w", encoding="utf-8") as file:
        json.dump(result, file)


def call(name, backend, folders):
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1",
                   "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1"}
    command = [sys.executable, "-P", os.path.abspath(__file__), "--hook", name, backend, *folders]
    done = subprocess.run(command, cwd=SOURCE, env=environment, check=False)
    if done.returncode < 0:
        raise Failure(f"its build backend was ended by signal {-done.returncode}")
    if done.returncode:
        raise Failure("its build backend failed")
    try:
        with open(RESULT, encoding="utf-8") as file:
            result = json.load(file)
        os.unlink(RESULT)
    except (OSError, ValueError):
        raise Failure("its build backend gave no result") from None
    return result


def send_wheel(stream, name, size_max):
    if not isinstance(name, str) or os.path.basename(name) != name or len(name.encode()) > 200:
        raise Failure("its build backend gave no wheel's name")
    try:
        fd = os.open(os.path.join(WHEELS, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Failure(f"the wheel that its build backend named can't be read: {error.strerror}") from None
    size = os.fstat(fd).st_size
    if size > size_max:
        raise Failure(f"its wheel is larger than {size_max >> 20} MiB")
    stream.send(b"N", name.encode())
    stream.write(struct.pack(">cQ", b"W", size))
    while size > 0:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise Failure("its wheel changes while it is read")
        stream.write(part)
        size -= len(part)


def build(stream, job):
    requires, backend, folders = build_system()
    os.mkdir(WHEELS)
    asked = call("requires", backend, folders)
    if not is_strings(asked):
        raise Failure("its build backend asks for requirements of an unknown form")
    known = set(requires) | set(job["known"])
    if not known.issuperset(asked):
        stream.send_json(b"D", asked)
        return
    send_wheel(stream, call("wheel", backend, folders), job["wheel_max"])


def main():
    if sys.argv[1:2] == ["--hook"]:
        hook(*sys.argv[2:])
        return
    os.umask(0o022)
    stream = Stream()
    try:
        job = receive(stream)
        unpack(job.get("subdirectory"))
        if job["mode"] == "inspect":
            requires = build_system()[0]
            stream.send_json(b"R", {"requires": requires, "compiled": is_compiled(requires)})
        else:
            build(stream, job)
    except Failure as failure:
        stream.send(b"E", str(failure).encode(errors="replace")[:1000])


main()
