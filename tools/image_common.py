# SPDX-License-Identifier: MIT
"""What the image tools share: store paths, the machine's mirrors, child processes.

Only the standard library of Debian's python3, and only cheap imports here: the
check whether a store is complete starts with this file.
"""
import functools
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGE_DIR = os.path.join(ROOT, "worker-image", "image")
STORE = "/nix/store"
TOOLS_FILE = "tools.json"
PYTHONS_FILE = "pythons.json"
BASE32 = "0123456789abcdfghijklmnpqrsvwxyz"

# What each child may take at most, in seconds.
DOWNLOAD_S_MAX = 600
NIX_S_MAX = 1800


class Failure(Exception):
    """Something a user can read and act on; ends the program with status 1."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def main_wrapper(main):
    """Runs main and turns what a user can mend into one line."""
    try:
        sys.exit(main())
    except Failure as failure:
        say(f"{os.path.basename(sys.argv[0])}: {failure}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise Failure(f"{path}: {error}") from None


def write_json(path, value):
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
    os.replace(path + ".new", path)


# --- store paths ------------------------------------------------------------

def _base32(data):
    """Nix's base 32: little-endian, its own alphabet, most significant first."""
    number = int.from_bytes(data, "little")
    length = (len(data) * 8 - 1) // 5 + 1
    return "".join(BASE32[(number >> (5 * i)) & 31] for i in reversed(range(length)))


def _store_path(kind, inner_hex, name):
    import hashlib
    digest = hashlib.sha256(f"{kind}:sha256:{inner_hex}:{STORE}:{name}".encode()).digest()
    folded = bytearray(20)
    for i, byte in enumerate(digest):
        folded[i % 20] ^= byte
    return f"{STORE}/{_base32(bytes(folded))}-{name}"


def folder_path(name, sha256_hex):
    """The path of a fixed output with a recursive hash."""
    return _store_path("source", sha256_hex, name)


def file_path(name, sha256_hex):
    """The path of a fixed output with a flat hash."""
    import hashlib
    inner = hashlib.sha256(f"fixed:out:sha256:{sha256_hex}:".encode()).hexdigest()
    return _store_path("output:out", inner, name)


def store_name(text):
    """The same rule as in lib.nix: a store path takes neither ':' nor '~'."""
    return text.replace(":", "-").replace("~", "-")


def deb_name(deb):
    return store_name(f"{deb['package']}-{deb['version']}.deb")


def physical(state, path):
    return os.path.join(state, "nix") + path


# --- the pins ---------------------------------------------------------------

def image_name(pins):
    """An image's name in the store: one with an interpreter is for runs. The same
    rule as in rootfs.nix."""
    return pins["image"] if pins["python"] == "-" else "worker-image-" + pins["image"]


# What is there for each Python, as {gc root's name: …}; those of the first Python of
# pythons.json, which is the default, have the short names. flake.nix has the same rule.

@functools.cache
def read_pythons():
    """The Pythons: {"3.11": "python311", …}, the default first."""
    images = read_json(os.path.join(IMAGE_DIR, PYTHONS_FILE))
    return {read_json(os.path.join(IMAGE_DIR, image + ".json"))["python"]: image for image in images}


def python_suffix(python):
    """What the names of a Python's toolchain and zygote end with: "" or "-python313"."""
    pythons = read_pythons()
    return "" if python == next(iter(pythons)) else "-" + pythons[python]


def read_images():
    """All images: {gc root's name: (pins, file)}."""
    images = {}
    for file in sorted(os.listdir(IMAGE_DIR)):
        if file.endswith(".json") and file not in (TOOLS_FILE, PYTHONS_FILE):
            pins = read_json(os.path.join(IMAGE_DIR, file))
            if "path" not in pins:
                raise Failure(f"{file} has no hash yet (run: make update-pins)")
            images[image_name(pins)] = (pins, file)
    return images


def read_tools():
    return {tool["name"]: tool for tool in read_json(os.path.join(IMAGE_DIR, TOOLS_FILE))["tools"]}


# --- the machine ------------------------------------------------------------

def run(argv, timeout_s, uid=None, **more):
    """A child with a deadline; as uid (a number that needs no passwd entry) when given."""
    import subprocess
    if uid is not None:
        more.update(user=uid, group=uid, extra_groups=[], umask=0o022)
    try:
        return subprocess.run(argv, timeout=timeout_s, text=True, check=False, **more)
    except FileNotFoundError:
        raise Failure(f"{argv[0]} is not installed (run: make deps)") from None
    except PermissionError as error:
        raise Failure(f"{argv[0]}: {error}") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"{argv[0]} took longer than {timeout_s} s and was ended") from None


def output(argv, timeout_s, said=None, **more):
    """What a child prints; its failure is ours, with the last lines it said. `said`,
    where given, gets all its lines before."""
    import subprocess
    done = run(argv, timeout_s, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        if said:
            said("\n".join(lines))
        tail = " / ".join(line.strip() for line in lines[-6:])
        raise Failure(f"{os.path.basename(argv[0])} failed: {tail or f'status {done.returncode}'}")
    return done.stdout


def index_targets(fields, *options):
    """apt's own reading of its configuration: one tuple for each index of packages."""
    text = output(["apt-get", *options, "--format", "\t".join(f"$({f})" for f in fields), "indextargets",
                   "Created-By: Packages"], 60)
    return [tuple(line.split("\t")) for line in text.splitlines()]


def mirror_list(uri):
    """The mirrors that apt's `mirror+file:` stands for, best first; else the one itself."""
    for prefix in ("mirror+file:", "mirror:file:"):
        if uri.startswith(prefix):
            break
    else:
        return [uri] if uri.startswith(("http:", "https:", "file:")) else []
    path = "/" + uri[len(prefix):].strip("/")
    found = []
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                words = line.split("#", 1)[0].split()
                if not words:
                    continue
                given = [word[9:] for word in words[1:] if word.startswith("priority:")]
                found.append((int(given[0]) if given and given[0].isdigit() else 1 << 30, words[0]))
    except OSError as error:
        raise Failure(f"apt's list of mirrors can't be read: {error}") from None
    return [uri for _, uri in sorted(found, key=lambda item: item[0])]


def mirrors(*apt_options):
    """The addresses below which Debian's pool lies for this machine, best first.

    CUVETTE_DEB_MIRRORS (separated by blanks) goes before apt's own."""
    uris = os.environ.get("CUVETTE_DEB_MIRRORS", "").split()
    known = index_targets(["REPO_URI", "ORIGIN"], *apt_options)
    ours = [uri for uri, origin in known if origin == "Debian"]
    if not ours:
        # No lists yet (or apt can't say whose they are): whatever is configured.
        ours = [uri for uri, _ in index_targets(["REPO_URI", "ORIGIN"], "--no-release-info", *apt_options)]
    for uri in ours:
        uris.extend(mirror_list(uri))
    unique = list(dict.fromkeys(uri.rstrip("/") for uri in uris))
    if not unique:
        raise Failure("apt has no mirror configured (or set CUVETTE_DEB_MIRRORS)")
    return unique


def builder_uid():
    """The uid that owns the store of a service started by root; from lib/base/ids.h."""
    import re
    try:
        with open(os.path.join(ROOT, "lib", "base", "ids.h"), encoding="utf-8") as file:
            found = re.search(r"#define CUV_BUILDER_UID (\d+)u", file.read())
    except OSError:
        found = None
    if not found:
        raise Failure("give the store's owner by --uid")
    return int(found.group(1))


def file_sha256(path):
    import hashlib
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def megabytes(size):
    return f"{size / 1e6:.1f} MB"
