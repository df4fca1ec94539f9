# SPDX-License-Identifier: MIT
"""Makes one virtual environment of installed wheels: a tree of links.

Runs inside a Nix build: $parts are the installations in the lock's order, $lock
is the canonical lock, $image the worker image. A folder that one part has alone
becomes one link; folders that several have are made and filled. Where two parts
have the same file the later one wins, as with pip, and the manifest says so; the
environment's own files (bin/python*, pyvenv.cfg, the manifest) always win.

Scripts are the one thing that is copied: their first line must name this
environment's python, so that they run inside it wherever they are called from.
"""
import json
import os
import sys

PYTHON = "python%d.%d" % sys.version_info[:2]
VERSION = "%d.%d.%d" % sys.version_info[:3]
MANIFEST = "cuvette.json"
# The manifest is read whole by the builder: it stays small whatever wheels hold.
CLASHES_LISTED_MAX = 500
OWN = {MANIFEST, "pyvenv.cfg", "bin/python", "bin/python3", f"bin/{PYTHON}"}


def name_of(part):
    """requests-2.31.0 of /nix/store/<32 characters>-requests-2.31.0"""
    return os.path.basename(part)[33:]


class Farm:
    def __init__(self, out):
        self.out = out
        # path → the part whose link or file stands there; folders made: None
        self.owner = {}
        self.clashes = []
        self.n_clashes = 0

    def clash(self, path, winner, loser):
        self.n_clashes += 1
        if len(self.clashes) < CLASHES_LISTED_MAX:
            self.clashes.append({"path": path, "used": winner, "hidden": name_of(loser)})

    def place(self, part, path):
        full = f"{self.out}/{path}"
        source = f"{part}/{path}"
        if path.startswith("bin/") and self.copy_script(source, full):
            return
        os.symlink(source, full)

    @staticmethod
    def is_dir(path):
        return os.path.isdir(path) and not os.path.islink(path)

    def copy_script(self, source, full):
        if not os.path.isfile(source) or os.path.islink(source):
            return False
        with open(source, "rb") as file:
            first = file.readline(512)
            if first.split() not in ([b"#!python"], [b"#!pythonw"]):
                return False
            rest = file.read()
        with open(full, "wb") as file:
            file.write(f"#!{self.out}/bin/python\n".encode() + rest)
        os.chmod(full, 0o755)
        return True

    def open_folder(self, path):
        """Turns the link of a folder into a folder with links."""
        part = self.owner[path]
        if part is None:
            return
        os.unlink(f"{self.out}/{path}")
        os.mkdir(f"{self.out}/{path}")
        self.owner[path] = None
        for name in sorted(os.listdir(f"{part}/{path}")):
            self.add(part, f"{path}/{name}")

    def replace(self, part, path):
        self.clash(path, name_of(part), self.owner[path])
        os.unlink(f"{self.out}/{path}")
        self.owner[path] = part
        self.place(part, path)

    def add(self, part, path):
        if path in OWN:
            self.clash(path, "cuvette", part)
        elif path not in self.owner:
            self.owner[path] = part
            self.place(part, path)
        else:
            self.merge(part, path)

    def merge(self, part, path):
        holder = self.owner[path]
        ours = holder is None or self.is_dir(f"{holder}/{path}")
        theirs = self.is_dir(f"{part}/{path}")
        if ours and theirs:
            self.open_folder(path)
            for name in sorted(os.listdir(f"{part}/{path}")):
                self.add(part, f"{path}/{name}")
        elif ours or theirs:
            # A file where another has a folder: the folder is what imports use.
            winner, loser = (part, holder) if theirs else (holder, part)
            if theirs:
                self.replace(part, path)
            else:
                self.clash(path, name_of(winner) if winner else "several", loser)
        else:
            self.replace(part, path)


def main():
    out, image = os.environ["out"], os.environ["image"]
    parts = os.environ["parts"].split()
    with open(os.environ["lock"], "rb") as file:
        lock = json.load(file)
    os.umask(0o022)
    site = f"lib/{PYTHON}/site-packages"
    os.makedirs(f"{out}/bin")
    os.makedirs(f"{out}/{site}")
    farm = Farm(out)
    farm.owner.update({path: None for path in ("bin", "lib", f"lib/{PYTHON}", site)})
    for part in parts:
        for name in sorted(os.listdir(part)):
            farm.add(part, name)
    for name in ("python", "python3", PYTHON):
        os.symlink(f"/usr/bin/{PYTHON}", f"{out}/bin/{name}")
    with open(f"{out}/pyvenv.cfg", "w") as file:
        file.write(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {VERSION}\n")
    manifest = {
        "clashes": farm.clashes,
        "clashes_total": farm.n_clashes,
        "closure": [os.path.basename(path) for path in (out, *parts)],
        "format": 1,
        "image": os.path.basename(image),
        "lock": lock,
        "python": VERSION,
    }
    with open(f"{out}/{MANIFEST}", "w") as file:
        json.dump(manifest, file, indent=1, sort_keys=True)
        file.write("\n")


main()
