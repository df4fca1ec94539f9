# SPDX-License-Identifier: MIT
"""Installs one wheel into $out, the same bytes on every machine.

Runs inside a Nix build: $wheel is the file, $package its normalised name. What
pip would put into a virtual environment lands below $out: modules in
lib/python3.X/site-packages, scripts in bin (with the wheel's own `#!python`
line, which farm.py completes), headers in include, data at its path. Modules are
byte-compiled with unchecked hashes, tests are not (they are a third of the work
and hardly ever imported).

The wheel is somebody else's work: sizes, names and counts are bounded, and the
compiler runs in processes with limits of their own. Their number is fixed, never
the machine's: what a process compiled before shows in the bytes that it writes.
"""
import csv
import gc
import io
import os
import re
import resource
import sys
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc
from importlib.util import source_hash

FILES_MAX = 100_000
BYTES_MAX = 4 << 30
PATH_MAX = 1024
METADATA_MAX = 64 << 20
SOURCE_MAX = 4 << 20
CHUNK = 1 << 20
COMPILERS = 4
COMPILERS_FROM = 64
MEMORY_MAX = 3 << 30
CPU_MAX_S = 600

PYTHON = "python%d.%d" % sys.version_info[:2]
SITE = f"lib/{PYTHON}/site-packages"
SCRIPT = """#!python
import sys
from {module} import {first}
if __name__ == "__main__":
    sys.exit({call}())
"""


class Refused(Exception):
    """The wheel is not one; the text is for its user."""


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def check_members(members):
    if len(members) > FILES_MAX:
        raise Refused(f"it has more than {FILES_MAX} files")
    if sum(m.file_size for m in members) > BYTES_MAX:
        raise Refused(f"it unpacks to more than {BYTES_MAX >> 30} GiB")
    seen = set()
    for member in members:
        name = member.filename
        parts = name.split("/")
        if (
            len(name.encode()) > PATH_MAX
            or name.startswith("/")
            or any(p in ("", ".", "..") for p in parts)
            or any(ord(c) < 32 or c in "\\\x7f" for c in name)
            or any(len(p.encode()) > 255 for p in parts)
        ):
            raise Refused(f"it has a file of the name {name[:100]!r}")
        if name in seen:
            raise Refused(f"it has {name[:100]!r} twice")
        seen.add(name)


def find_dist_info(members, package):
    found = {m.filename.split("/")[0] for m in members}
    found = [n for n in found if n.endswith(".dist-info")]
    if len(found) != 1:
        raise Refused("it has not exactly one .dist-info folder")
    name = found[0].removesuffix(".dist-info").rpartition("-")[0]
    if normalised(name) != package:
        raise Refused(f"it is a wheel of {normalised(name)[:100]}")
    return found[0]


def read_metadata(wheel, dist_info, name):
    """The text of a metadata file, None if the wheel has none."""
    try:
        member = wheel.getinfo(f"{dist_info}/{name}")
    except KeyError:
        return None
    if member.file_size > METADATA_MAX:
        raise Refused(f"its {name} is too large")
    return wheel.read(member).decode("utf-8", "surrogateescape")


def check_version(text):
    match = re.search(r"^Wheel-Version:\s*(\d+)\.", text or "", re.M | re.I)
    if not match or match[1] != "1":
        raise Refused("its WHEEL file does not say Wheel-Version 1")


def target(name, dist_info, package):
    """Where a member goes, relative to $out; None for what is not installed."""
    data = dist_info.removesuffix(".dist-info") + ".data/"
    if not name.startswith(data):
        if name in (f"{dist_info}/RECORD.jws", f"{dist_info}/RECORD.p7s"):
            return None
        if name.endswith(".pyc") and "/__pycache__/" in name:
            return None  # somebody else's compiler's; ours are made from the sources
        return f"{SITE}/{name}"
    scheme, _, rest = name.removeprefix(data).partition("/")
    places = {
        "purelib": SITE,
        "platlib": SITE,
        "scripts": "bin",
        "headers": f"include/site/{PYTHON}/{package}",
        "data": ".",
    }
    if not rest or scheme not in places:
        raise Refused(f"its .data folder has {scheme[:100]!r}")
    return os.path.normpath(f"{places[scheme]}/{rest}")


def write(out, path, chunks, executable):
    full = f"{out}/{path}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    mode = 0o755 if executable else 0o644
    try:
        try:
            fd = os.open(full, flags, mode)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            fd = os.open(full, flags, mode)
    except (FileExistsError, NotADirectoryError):
        raise Refused(f"it installs {path[:200]!r} twice") from None
    with open(fd, "wb", buffering=0) as file:
        for chunk in chunks:
            while chunk:
                chunk = chunk[file.write(chunk):]


def read_chunks(wheel, member):
    if member.file_size <= CHUNK:
        yield wheel.read(member)
        return
    with wheel.open(member) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def unpack(wheel, members, dist_info, package, out):
    """Writes all members; {member's name: path below $out}."""
    paths = {}
    record = f"{dist_info}/RECORD"
    for member in members:
        path = target(member.filename, dist_info, package)
        if path is None or member.filename == record:
            continue
        executable = path.startswith("bin/") or (member.external_attr >> 16) & 0o111
        write(out, path, read_chunks(wheel, member), executable)
        paths[member.filename] = path
    return paths


def entry_points(text):
    """(name, module, attribute) of each script that entry_points.txt declares."""
    section = None
    for line in (text or "").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        if section not in ("[console_scripts]", "[gui_scripts]") or "=" not in line or line[0] in "#;[":
            continue
        name, _, value = (part.strip() for part in line.partition("="))
        match = re.fullmatch(r"([\w.]+)\s*:\s*([\w.]+)\s*(\[.*\])?", value)
        if not match or not re.fullmatch(r"[\w.-][\w. -]*", name) or name in (".", ".."):
            raise Refused(f"it has an entry point {line[:100]!r}")
        yield name, match[1], match[2]


def write_scripts(text, out):
    """The scripts' paths; a script that the wheel brings as a file stays."""
    paths = []
    for name, module, attribute in entry_points(text):
        path = f"bin/{name}"
        if os.path.lexists(f"{out}/{path}"):
            continue
        body = SCRIPT.format(module=module, first=attribute.split(".")[0], call=attribute)
        write(out, path, [body.encode()], True)
        paths.append(path)
    return paths


def write_record(text, dist_info, paths, extra, out):
    """RECORD as installed: sorted, with the hashes that the wheel's author wrote
    (the wheel's own hash was checked, so they are what they were)."""
    hashes = {row[0]: row[1:3] for row in csv.reader(io.StringIO(text)) if len(row) >= 3}
    rows = [[os.path.relpath(path, SITE), *hashes.get(name, ["", ""])] for name, path in paths.items()]
    rows += [[os.path.relpath(path, SITE), "", ""] for path in extra]
    rows.append([f"{dist_info}/RECORD", "", ""])
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(sorted(rows))
    write(out, f"{SITE}/{dist_info}/RECORD", [table.getvalue().encode("utf-8", "surrogateescape")], False)


def sources(paths):
    """The modules to compile, in an order that does not depend on the zip's."""
    for path in sorted(paths):
        if path.endswith(".py") and path.startswith(SITE) and "/tests/" not in path:
            yield path


def compile_one(out, path):
    full = f"{out}/{path}"
    with open(full, "rb") as file:
        text = file.read(SOURCE_MAX + 1)
    if len(text) > SOURCE_MAX:
        return
    try:
        code = compile(text, full, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return  # a template or another Python's; python says so at import
    folder, _, name = path.rpartition("/")
    tag = sys.implementation.cache_tag
    data = _code_to_hash_pyc(code, source_hash(text), False)
    write(out, f"{folder}/__pycache__/{name[:-3]}.{tag}.pyc", [data], False)


def compile_all(out, todo):
    n = COMPILERS if len(todo) >= COMPILERS_FROM else 1
    # The largest first, dealt out in turn: equal loads, and no clock in it.
    todo.sort(key=lambda path: (-os.path.getsize(f"{out}/{path}"), path))
    gc.collect()
    gc.freeze()
    gc.disable()
    children = []
    for i in range(n):
        pid = os.fork()
        if pid == 0:
            try:
                for path in todo[i::n]:
                    compile_one(out, path)
                os._exit(0)
            except BaseException as error:
                os.write(2, f"byte-compiling failed: {error!r}\n".encode())
                os._exit(1)
        children.append(pid)
    if any([os.waitpid(pid, 0)[1] for pid in children]):
        raise Refused("one of its modules breaks Python's compiler")


def main():
    out, package, file = (os.environ[name] for name in ("out", "package", "wheel"))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_MAX_S, CPU_MAX_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o022)
    os.makedirs(f"{out}/{SITE}")
    with zipfile.ZipFile(file) as wheel:
        members = [m for m in wheel.infolist() if not m.is_dir()]
        check_members(members)
        dist_info = find_dist_info(members, package)
        check_version(read_metadata(wheel, dist_info, "WHEEL"))
        record = read_metadata(wheel, dist_info, "RECORD")
        if record is None:
            raise Refused("it has no RECORD")
        points = read_metadata(wheel, dist_info, "entry_points.txt")
        paths = unpack(wheel, members, dist_info, package, out)
    extra = write_scripts(points, out)
    installer = f"{SITE}/{dist_info}/INSTALLER"
    if not os.path.lexists(f"{out}/{installer}"):
        write(out, installer, [b"cuvette\n"], False)
        extra.append(installer)
    write_record(record, dist_info, paths, extra, out)
    todo = list(sources(paths.values()))
    if todo:
        compile_all(out, todo)


try:
    main()
except Refused as reason:
    sys.exit(f"cuvette: the wheel of {os.environ['package']} can't be installed: {reason}")
except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as reason:
    sys.exit(f"cuvette: the wheel of {os.environ['package']} is not a readable zip file: {reason}")
