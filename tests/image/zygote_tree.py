# SPDX-License-Identifier: MIT
"""A small tree with sources of its own for the zygote, so that they can be changed."""
import os
import shutil
import subprocess

from helpers import ROOT, UNPACK, image_common, image_nix, open_up, physical, state

MAIN = """#include "lib/base/fd.h"
#include "worker-image/zygote/number.h"

#include <Python.h>

int __real_Py_FinalizeEx(void);
int __wrap_Py_FinalizeEx(void);

int __wrap_Py_FinalizeEx(void)
{
	return fputs("the end\\n", stderr) < 0 ? -1 : __real_Py_FinalizeEx();
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "where") == 0)
		return printf("%s %d %d\\n", __FILE__, NUMBER, cuv_close(-1)) < 0;
	return Py_BytesMain(argc, argv);
}
"""
# fd.c asks for buf.c and base.c; string.h and stdio.h come with Python.h.
SOURCES = ("worker-image/zygote/main.c", "lib/base/fd.c", "lib/base/buf.c", "lib/base/base.c")


class Tree:
    def __init__(self, folder):
        self.folder = folder
        for name in ("flake.nix", "flake.lock"):
            shutil.copy(ROOT / name, folder / name)
        for name in ("tools", "lib", "worker-image/image", "nixenv/nix"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "build/bin").mkdir(parents=True)
        shutil.copy(UNPACK, folder / "build/bin")
        (folder / "worker-image/zygote").mkdir()
        self.write("worker-image/zygote/main.c", MAIN)
        self.write("worker-image/zygote/number.h", "#define NUMBER 7\n")
        self.write("worker-image/zygote/sources.txt", "".join(f"{name}\n" for name in SOURCES))
        open_up(folder)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o644)

    def append(self, name, text):
        with open(self.folder / name, "a", encoding="utf-8") as file:
            file.write(text)

    def path(self, store):
        """The zygote's store path as Nix computes it of this tree, whether it is there or not."""
        return store.path_of(str(self.folder), "zygote")

    def image_store(self, folder, *arguments, **more):
        return subprocess.run([self.folder / "tools/image-store", folder, *arguments], capture_output=True, text=True,
                              timeout=250, check=False, **more)


class Copy:
    """A state folder with the suite's images, for a store that is worked on by its owner."""

    def __init__(self, folder):
        self.folder = folder
        open_up(folder)
        subprocess.run(["cp", "-a", "--reflink=auto", state() / "nix", state() / "api-docs", folder], check=True)
        # They lead to the links of the folder that this is a copy of.
        shutil.rmtree(folder / "nix/nix/var/nix/gcroots/auto")
        self.roots = folder / "nix/nix/var/nix/gcroots/cuvette"
        owner = os.stat(folder / "nix").st_uid
        self.store = image_nix.ChrootStore(str(folder), owner if os.geteuid() == 0 and owner != 0 else None,
                                           str(self._conf()))

    def _conf(self):
        conf = self.folder / "conf"
        conf.mkdir()
        shutil.copy(ROOT / "worker-image/image/nix.conf", conf)
        return conf

    def physical(self, path):
        return image_common.physical(str(self.folder), path)

    def delete(self, link):
        """Takes what a link leads to out of the store."""
        path = os.readlink(self.roots / link)
        (self.roots / link).unlink()
        self.store.as_owner(["nix-store", "--delete", path])
        assert not os.path.exists(self.physical(path))

    def remove(self):
        subprocess.run(["chmod", "-R", "u+rwX", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def add_image(store, folder, pins):
    """An image of the suite's store into a store of our own."""
    copy = folder / pins["path"].partition("-")[2]
    shutil.copytree(physical(pins["path"]), copy, symlinks=True)
    assert store.as_owner(["nix-store", "--add-fixed", "--recursive", "sha256", str(copy)]).strip() == pins["path"]
    subprocess.run(["chmod", "-R", "u+w", copy], check=True)
    shutil.rmtree(copy)
