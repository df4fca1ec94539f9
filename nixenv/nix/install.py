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

One such process starts for every wheel, so it imports nothing that it can do
without: zipfile, re, csv and importlib.util would cost more than a small wheel.
"""
import _csv
import _imp
import gc
import os
import resource
import struct
import sys
import zlib
from importlib._bootstrap_external import _RAW_MAGIC_NUMBER, _code_to_hash_pyc

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
    parts = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(part for part in parts if part)


class Member:
    """A file of the wheel, as its central directory has it."""

    __slots__ = ("name", "mode", "method", "crc", "packed", "size", "offset")


class Wheel:
    """A zip file by its central directory: stored and deflated files, zip64, no
    encryption, one part. Names are UTF-8, as wheels have them."""

    END = struct.Struct("<4s4H2LH")
    END64_PLACE = struct.Struct("<4sLQL")
    END64 = struct.Struct("<4sQ2H2L4Q")
    ENTRY = struct.Struct("<4s6H3L5H2L")
    LOCAL = struct.Struct("<4s5H3L2H")

    def __init__(self, path):
        self.file = open(path, "rb", buffering=0)
        self.length = os.fstat(self.file.fileno()).st_size
        offset, size, count = self._find_directory()
        if count > FILES_MAX:
            raise Refused(f"it has more than {FILES_MAX} files")
        self.members = list(self._read_directory(self._at(offset, size), count))

    def _at(self, offset, size):
        data = os.pread(self.file.fileno(), size, offset)
        if offset < 0 or len(data) != size:
            raise Refused("it is cut off")
        return data

    def _find_directory(self):
        """(offset, size, entries) of the central directory."""
        tail_at = max(0, self.length - 65535 - self.END.size)
        tail = self._at(tail_at, self.length - tail_at)
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) - at < self.END.size:
            raise Refused("it is not a zip file")
        _, disk, start, here, count, size, offset, _ = self.END.unpack_from(tail, at)
        place = tail_at + at - self.END64_PLACE.size
        if place >= 0 and (more := self._at(place, self.END64_PLACE.size)).startswith(b"PK\6\7"):
            end64 = self._at(self.END64_PLACE.unpack(more)[2], self.END64.size)
            magic, _, _, _, disk, start, here, count, size, offset = self.END64.unpack(end64)
            if magic != b"PK\6\6":
                raise Refused("it is not a zip file")
        if disk or start or here != count:
            raise Refused("it is a zip file in parts")
        return offset, size, count

    def _read_directory(self, data, count):
        at = 0
        for _ in range(count):
            if len(data) - at < self.ENTRY.size:
                raise Refused("its directory is cut off")
            (magic, made_by, _, flags, method, _, _, crc, packed, size, n_name, n_extra, n_comment, _, _, attributes,
             offset) = self.ENTRY.unpack_from(data, at)
            at += self.ENTRY.size
            if magic != b"PK\1\2" or flags & 1 or method not in (0, 8):
                raise Refused("it is packed in a way that wheels are not")
            member = Member()
            try:
                member.name = data[at:at + n_name].decode()
            except UnicodeDecodeError:
                raise Refused("it has a name that is not UTF-8") from None
            extra = data[at + n_name:at + n_name + n_extra]
            at += n_name + n_extra + n_comment
            member.mode = attributes >> 16 if made_by >> 8 == 3 else 0
            member.method, member.crc = method, crc
            member.size, member.packed, member.offset = self._large(extra, size, packed, offset)
            if not member.name.endswith("/"):
                yield member

    @staticmethod
    def _large(extra, *values):
        """Values that need 64 bits stand in an extra field, in their order."""
        if all(value != 0xFFFFFFFF for value in values):
            return values
        at = 0
        while len(extra) - at >= 4:
            kind, length = struct.unpack_from("<2H", extra, at)
            field, at = extra[at + 4:at + 4 + length], at + 4 + length
            if kind == 1:
                wide = iter(struct.unpack(f"<{len(field) // 8}Q", field[:len(field) // 8 * 8]))
                found = [next(wide, None) if value == 0xFFFFFFFF else value for value in values]
                if None not in found:
                    return found
        raise Refused("its directory is cut off")

    def chunks(self, member):
        """The member's bytes, as many and of the checksum that the directory says."""
        name = member.name.encode()
        head = self._at(member.offset, self.LOCAL.size + len(name))
        magic, *_, n_name, n_extra = self.LOCAL.unpack_from(head)
        at = member.offset + self.LOCAL.size + n_name + n_extra
        if (magic != b"PK\3\4" or n_name != len(name) or head[self.LOCAL.size:] != name
                or (member.method == 0 and member.packed != member.size)):
            raise Refused("its directory and its files differ")
        inflate = zlib.decompressobj(-15) if member.method == 8 else None
        left, size, crc = member.packed, 0, 0
        while left or (inflate and not inflate.eof):
            if inflate and inflate.unconsumed_tail:
                packed = inflate.unconsumed_tail
            else:
                packed = self._at(at, min(left, CHUNK))
                at, left = at + len(packed), left - len(packed)
            data = inflate.decompress(packed, CHUNK) if inflate else packed
            size += len(data)
            crc = zlib.crc32(data, crc)
            # Nothing in and nothing out: the end is missing. Bytes behind it are wrong too.
            if size > member.size or not (packed or data) or (inflate and inflate.unused_data):
                break
            yield data
        if left or size != member.size or crc != member.crc or (inflate and not inflate.eof):
            raise Refused(f"its file {member.name[:200]!r} is damaged")

    def read(self, member):
        return b"".join(self.chunks(member))


def check_members(members):
    if sum(m.size for m in members) > BYTES_MAX:
        raise Refused(f"it unpacks to more than {BYTES_MAX >> 30} GiB")
    seen = set()
    for member in members:
        name = member.name
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
    found = {m.name.split("/")[0] for m in members}
    found = [n for n in found if n.endswith(".dist-info")]
    if len(found) != 1:
        raise Refused("it has not exactly one .dist-info folder")
    name = found[0].removesuffix(".dist-info").rpartition("-")[0]
    if normalised(name) != package:
        raise Refused(f"it is a wheel of {normalised(name)[:100]}")
    return found[0]


def read_metadata(wheel, dist_info, name):
    """The text of a metadata file, None if the wheel has none."""
    for member in wheel.members:
        if member.name == f"{dist_info}/{name}":
            if member.size > METADATA_MAX:
                raise Refused(f"its {name} is too large")
            return wheel.read(member).decode("utf-8", "surrogateescape")
    return None


def check_version(text):
    for line in (text or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "wheel-version" and value.strip().partition(".")[0] == "1":
            return
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


def unpack(wheel, dist_info, package, out):
    """Writes all members; {member's name: path below $out}."""
    paths = {}
    record = f"{dist_info}/RECORD"
    for member in wheel.members:
        path = target(member.name, dist_info, package)
        if path is None or member.name == record:
            continue
        executable = path.startswith("bin/") or member.mode & 0o111
        write(out, path, wheel.chunks(member), executable)
        paths[member.name] = path
    return paths


def is_dotted(text):
    return all(part.isidentifier() for part in text.split("."))


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
        value = value.partition("[")[0].strip()  # extras
        module, _, attribute = (part.strip() for part in value.partition(":"))
        plain = name.replace("-", "").replace(".", "").replace("_", "").replace(" ", "")
        if not is_dotted(module) or not is_dotted(attribute) or not plain.isalnum() or name.startswith("."):
            raise Refused(f"it has an entry point {line[:100]!r}")
        yield name, module, attribute


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


class Lines(list):
    """What a csv writer writes to."""

    write = list.append


def write_record(text, dist_info, paths, extra, out):
    """RECORD as installed: sorted, with the hashes that the wheel's author wrote
    (the wheel's own hash was checked, so they are what they were)."""
    hashes = {row[0]: row[1:3] for row in _csv.reader(text.split("\n")) if len(row) >= 3}
    rows = [[os.path.relpath(path, SITE), *hashes.get(name, ["", ""])] for name, path in paths.items()]
    rows += [[os.path.relpath(path, SITE), "", ""] for path in extra]
    rows.append([f"{dist_info}/RECORD", "", ""])
    lines = Lines()
    _csv.writer(lines, lineterminator="\n").writerows(sorted(rows))
    write(out, f"{SITE}/{dist_info}/RECORD", ["".join(lines).encode("utf-8", "surrogateescape")], False)


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
    data = _code_to_hash_pyc(code, _imp.source_hash(_RAW_MAGIC_NUMBER, text), False)
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
    wheel = Wheel(file)
    check_members(wheel.members)
    dist_info = find_dist_info(wheel.members, package)
    check_version(read_metadata(wheel, dist_info, "WHEEL"))
    record = read_metadata(wheel, dist_info, "RECORD")
    if record is None:
        raise Refused("it has no RECORD")
    points = read_metadata(wheel, dist_info, "entry_points.txt")
    paths = unpack(wheel, dist_info, package, out)
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
except (Refused, zlib.error) as reason:
    sys.exit(f"cuvette: the wheel of {os.environ['package']} can't be installed: {reason}")
