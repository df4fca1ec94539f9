# SPDX-License-Identifier: MIT
"""Nix on a state folder's chroot store, always with Cuvette's own settings.

A checkout may be closed to the store's owner, so what Nix reads (the flake's
few files, and the host folder) is first staged in a folder of the state folder
that belongs to whoever runs this, never to the store's owner: a folder of
theirs could send our writes elsewhere.
"""
import os
import shutil
import stat

import image_zygote
from image_common import (IMAGE_DIR, NIX_S_MAX, ROOT, Failure, output, write_json)

STAGED = ("flake.nix", "flake.lock")
SAFE_PATH = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-")


def write_host(folder, unpacker, mirrors):
    """The flake's input `host`: this machine's mirrors and the unpacker."""
    os.makedirs(folder, exist_ok=True)
    write_json(os.path.join(folder, "mirrors.json"), {"mirrors": mirrors})
    with open(os.path.join(folder, "flake.nix"), "w", encoding="ascii") as file:
        file.write("{ outputs = _: { }; }\n")
    target = os.path.join(folder, "cuvette-unpack")
    try:
        shutil.copyfile(unpacker, target + ".new")
    except OSError as error:
        raise Failure(f"no unpacker: {error} (run: make host)") from None
    os.chmod(target + ".new", 0o755)
    os.replace(target + ".new", target)


def check_state(state, uid):
    """A state folder's path must suit Nix and let the store's owner through."""
    if not set(state) <= SAFE_PATH:
        raise Failure(f"{state}: the state folder's path may hold letters, digits and ._+- only")
    if uid is None:
        return
    folder = state
    while True:
        if not os.stat(folder).st_mode & stat.S_IXOTH:
            raise Failure(f"{state}: uid {uid}, who owns the store, can't enter {folder}; choose another state folder")
        if folder == "/":
            return
        folder = os.path.dirname(folder)


class ChrootStore:
    """STATE/nix, worked on as uid (None: as ourselves)."""

    def __init__(self, state, uid, conf_dir):
        self.folder = os.path.join(state, "nix")
        self.roots = os.path.join(self.folder, "nix", "var", "nix", "gcroots", "cuvette")
        self.uid = uid
        self.env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": os.path.join(self.folder, "home"),
            "USER": "cuvette-build",
            "LC_ALL": "C",
            "NIX_CONF_DIR": conf_dir,
            "NIX_USER_CONF_FILES": "",
            "NIX_REMOTE": self.folder,
        }
        for name in ("NIX_SSL_CERT_FILE", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def make(self):
        """Makes the store's folder for its owner; others may look into it."""
        try:
            os.mkdir(self.folder, 0o755)
            if self.uid is not None:
                os.chown(self.folder, self.uid, self.uid, follow_symlinks=False)
        except FileExistsError:
            pass
        found = os.lstat(self.folder)
        owner = os.geteuid() if self.uid is None else self.uid
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
            raise Failure(f"{self.folder} is not a folder of uid {owner}")
        self.as_owner(["mkdir", "-p", self.roots, self.env["HOME"]])

    def as_owner(self, argv, **more):
        """Runs a command on the store; what it prints."""
        # A nix that outlives us would hold its locks against the next call.
        return output(["setpriv", "--pdeathsig", "KILL", *argv], NIX_S_MAX, uid=self.uid, env=self.env, cwd="/", **more)

    def add_files(self, paths):
        """Adds files under their flat sha256, as a fetching derivation would."""
        if paths:
            self.as_owner(["nix-store", "--add-fixed", "sha256", *paths])

    def build(self, flake, attribute, host, link, *options, **more):
        """`nix build` of one output, held by a gc root; its store path."""
        link = os.path.join(self.roots, link)
        argv = ["nix", "build", f"path:{flake}#{attribute}", "--out-link", link, "--no-write-lock-file", *options]
        if host:
            argv += ["--override-input", "host", f"path:{host}"]
        self.as_owner(argv, **more)
        return os.readlink(link)

    def path_of(self, flake, attribute):
        """An output's store path, whether it is there or not."""
        return self.as_owner(["nix", "eval", "--raw", f"path:{flake}#{attribute}.outPath", "--no-write-lock-file"])

    def has(self, path):
        """Whether the store holds a path, whole and known to Nix."""
        if not os.path.isdir(self.folder + path):
            return False
        try:
            self.as_owner(["nix-store", "--check-validity", path])
        except Failure:
            return False
        return True


def is_complete(state, link, path):
    """Whether the store holds a path and its root: two look-ups, no process."""
    root = os.path.join(state, "nix", "nix", "var", "nix", "gcroots", "cuvette", link)
    try:
        return os.readlink(root) == path and os.path.isdir(os.path.join(state, "nix") + path)
    except OSError:
        return False


def stage_flake(folder):
    """Copies what the flake's outputs need; the folder of nix.conf within."""
    image = os.path.join(folder, os.path.relpath(IMAGE_DIR, ROOT))
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(image)
    for name in STAGED:
        shutil.copyfile(os.path.join(ROOT, name), os.path.join(folder, name))
    for name in os.listdir(IMAGE_DIR):
        if name.endswith((".nix", ".json", ".conf", ".py")):
            shutil.copyfile(os.path.join(IMAGE_DIR, name), os.path.join(image, name))
    recipes = os.path.join(ROOT, "nixenv", "nix")
    if os.path.isdir(recipes):
        shutil.copytree(recipes, os.path.join(folder, "nixenv", "nix"),
                        ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    image_zygote.stage(folder)
    return image
