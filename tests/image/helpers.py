# SPDX-License-Identifier: MIT
"""What the image's tests share. tests/README.md says what tests/run gives them."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import image_common  # noqa: E402
import image_fetch  # noqa: E402
import image_nix  # noqa: E402

BUILD = pathlib.Path(os.environ.get("CUVETTE_BUILD", ROOT / "build"))
UNPACK = BUILD / "bin" / "cuvette-unpack"
CONF = ROOT / "worker-image" / "image"
IMAGE_LINK = "worker-image-python311"
PINS = image_common.read_images()[IMAGE_LINK][0]
TOOLCHAIN = image_common.read_images()["toolchain"][0]
TOOLS = image_common.read_tools()
PYTHONS = image_common.read_pythons()
# {"3.11": pins of its image, …}, and the same of its toolchain.
IMAGES = {python: image_common.read_images()["worker-image-" + image][0] for python, image in PYTHONS.items()}
TOOLCHAINS = {python: image_common.read_images()["toolchain" + image_common.python_suffix(python)][0] for python in PYTHONS}


def skip(reason):
    """A skip that CI turns into a failure unless the reason is listed."""
    pytest.skip(reason)


def state():
    """The state folder that the runner made for this suite."""
    given = os.environ.get("CUVETTE_TEST_STATE")
    if not given:
        skip("no state folder was given (run it by tests/run)")
    return pathlib.Path(given)


def physical(path):
    """Where a store path of the suite's store lies on the disk."""
    return pathlib.Path(image_common.physical(str(state()), path))


def owner_of(folder):
    """Who has to work on a store: a uid when root does it for another, else None."""
    uid = os.stat(folder).st_uid
    return uid if os.geteuid() == 0 and uid != 0 else None


def suite_store():
    return image_nix.ChrootStore(str(state()), owner_of(state() / "nix"), str(readable_conf()))


def readable_conf():
    """nix.conf for a uid that may not enter the checkout."""
    folder = state() / "test-conf"
    folder.mkdir(exist_ok=True)
    shutil.copy(CONF / "nix.conf", folder / "nix.conf")
    return folder


def own_store(folder):
    """An empty store of our own below folder."""
    folder.mkdir(parents=True)
    store = image_nix.ChrootStore(str(folder), None, str(CONF))
    store.make()
    return store


def open_up(folder):
    """Lets other users into a folder of pytest's, which keeps them closed."""
    top = pathlib.Path(tempfile.gettempdir()).resolve()
    for part in (folder, *folder.parents):
        if top not in part.parents:
            break
        part.chmod(part.stat().st_mode | 0o055)


def debs(folder, pins=PINS):
    """All pinned packages as files: from the suite's store, else from the mirrors."""
    folder.mkdir(exist_ok=True)
    files = []
    for deb in pins["debs"]:
        kept = physical(image_common.file_path(image_common.deb_name(deb), deb["sha256"]))
        target = folder / image_common.deb_name(deb)
        if kept.is_file():
            shutil.copyfile(kept, target)
        else:
            image_fetch.fetch_deb(deb, str(folder), image_common.mirrors())
        files.append(str(target))
    return files


def lay_out_mirror(folder, *images):
    """A mirror on this disk that holds the images' packages at their pinned paths."""
    for pins in images:
        for deb, file in zip(pins["debs"], debs(folder / "files", pins)):
            target = folder / deb["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(file, target)
    return folder


def compile_unpacker(folder, compiler, optimisation):
    """Builds the unpacker by the Makefile's own rule with another compiler."""
    subprocess.run(["make", "-s", f"BUILD={folder}", f"CC={compiler}", f"UNPACK_OPT={optimisation}",
                    f"{folder}/bin/cuvette-unpack"], cwd=ROOT, check=True)
    return folder / "bin" / "cuvette-unpack"


def unpack(*arguments, timeout=300):
    return subprocess.run([str(UNPACK), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          check=False)


def image_python(code, image, python=PINS["python"]):
    """Runs code by an image's interpreter, addressed from outside."""
    libs = image / "usr/lib/x86_64-linux-gnu"
    return subprocess.run([libs / "ld-linux-x86-64.so.2", "--inhibit-cache", "--library-path", libs,
                           image / f"usr/bin/python{python}", "-B", "-s", "-c", code],
                          capture_output=True, text=True, timeout=300, check=False,
                          env={"PYTHONHOME": f"{image}/usr", "PYTHONUTF8": "1"})
