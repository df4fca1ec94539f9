# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""The zygote: one store path for the same sources wherever it is made, made anew when they
change, and neither downloads nor processes where nothing did."""
import os
import re
import shutil
import subprocess

import pytest

from helpers import (IMAGE_LINK, PINS, ROOT, TOOLCHAIN, UNPACK, debs, image_common, lay_out_mirror, own_store, physical,
                     state, suite_store)
from zygote_tree import Copy, Tree, add_image


@pytest.fixture(scope="module", autouse=True)
def toolchain():
    """Where the zygote came from elsewhere, the suite's store may have none."""
    subprocess.run([ROOT / "tools/image-store", state(), "--only", "toolchain"], check=True, timeout=250,
                   stdout=subprocess.DEVNULL)
    return physical(TOOLCHAIN["path"])


@pytest.fixture(scope="module")
def zygote():
    """The store path that the suite's store was left with."""
    return os.readlink(state() / "nix/nix/var/nix/gcroots/cuvette/zygote")


@pytest.fixture
def tree(tmp_path_factory):
    return Tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def mirror(toolchain, tmp_path_factory):
    return lay_out_mirror(tmp_path_factory.mktemp("mirror"), TOOLCHAIN)


@pytest.fixture(scope="module")
def one_copy(toolchain, tmp_path_factory):
    made = Copy(tmp_path_factory.mktemp("copy"))
    yield made
    made.remove()


@pytest.fixture
def copy(one_copy, mirror):
    """A state folder to change: at first it has what the suite's has, of one Python."""
    for link in one_copy.roots.glob("*-python313"):
        link.unlink()
    assert image_store(one_copy, mirror, "--only", "toolchain", "--only", "zygote").returncode == 0
    return one_copy


def image_store(copy, mirror, *arguments):
    """The checkout's own; packages come from the disk, or from nowhere."""
    return subprocess.run([ROOT / "tools/image-store", copy.folder, "--unpacker", UNPACK, *arguments], timeout=250,
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "CUVETTE_DEB_MIRRORS": f"file:{mirror}"})


def made(done):
    """What image-store said that it built."""
    assert done.returncode == 0, done.stderr
    return re.findall(r"^building \d+/\d+ (\S+)$", done.stderr, re.MULTILINE)


def downloads(done):
    return [line for line in done.stderr.splitlines() if line.startswith("downloading ")]


# --- the toolchain ---

def test_another_compilers_unpacker_makes_the_same_toolchain(tmp_path):
    subprocess.run(["make", "-s", f"BUILD={tmp_path}", "CC=clang", "UNPACK_OPT=-O1", f"{tmp_path}/bin/cuvette-unpack"],
                   cwd=ROOT, check=True)
    other = tmp_path / "bin/cuvette-unpack"
    assert other.read_bytes() != UNPACK.read_bytes()
    files = debs(tmp_path / "debs", TOOLCHAIN)
    subprocess.run([other, "root", tmp_path / "out", "-", *files], check=True, timeout=200)
    said = subprocess.run(["nix-hash", "--type", "sha256", tmp_path / "out"], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == TOOLCHAIN["sha256"]


def test_both_images_have_the_same_packages_of_what_they_share():
    ours, theirs = ({deb["package"]: (deb["version"], deb["sha256"]) for deb in pins["debs"]} for pins in (TOOLCHAIN, PINS))
    shared = set(ours) & set(theirs)
    assert {"libc6", "libexpat1", "zlib1g"} <= shared
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}
    assert ours["libpython3.11-dev"][0] == theirs["libpython3.11-minimal"][0]


def test_images_that_do_not_go_together_are_refused(tree, tmp_path):
    store = own_store(tmp_path / "state")
    pins = tree.folder / "worker-image/image/toolchain.json"
    version = next(deb["version"] for deb in TOOLCHAIN["debs"] if deb["package"] == "zlib1g")
    tree.write("worker-image/image/toolchain.json", pins.read_text().replace(f'"{version}"', f'"{version}+x"'))
    with pytest.raises(image_common.Failure, match="differ in a package's version .run: make update-pins"):
        tree.path(store)


# --- its path ---

def test_the_path_is_that_of_its_sources_and_of_nothing_else(tree, tmp_path):
    """By an empty store: what path it has is known without an image."""
    store = own_store(tmp_path / "state")
    paths = [tree.path(store)]
    assert re.fullmatch(r"/nix/store/[0-9a-z]{32}-cuvette-zygote", paths[0])
    # What no source includes, and what is beside the sources, changes nothing.
    tree.append("lib/base/strv.h", "/* no source includes it */\n")
    tree.append("lib/base/strv.c", "/* no source */\n")
    tree.write("README.md", "x\n")
    tree.append("flake.nix", "# x\n")
    assert tree.path(store) == paths[0]
    # A source, a header that one includes, one that comes in by a header, the one that
    # is included before all, the order of sources, the recipe.
    for name in ("worker-image/zygote/main.c", "worker-image/zygote/number.h", "lib/base/base.h", "lib/base/banned.h"):
        tree.append(name, "\n")
        paths.append(tree.path(store))
    listed = (tree.folder / "worker-image/zygote/sources.txt").read_text().split()
    tree.write("worker-image/zygote/sources.txt", "".join(f"{name}\n" for name in reversed(listed)))
    paths.append(tree.path(store))
    tree.append("worker-image/image/zygote.py", "# x\n")
    paths.append(tree.path(store))
    assert len(set(paths)) == len(paths), paths


@pytest.mark.parametrize("name,text", [("worker-image/zygote/sources.txt", "lib/base/none.c\n"),
                                       ("worker-image/zygote/main.c", '#include "lib/base/none.h"\n')])
def test_a_file_that_is_not_there_is_named(tree, tmp_path, name, text):
    store = own_store(tmp_path / "state")
    tree.append(name, text)
    with pytest.raises(image_common.Failure, match=r"lib/base/none\.[ch]: there is no such file"):
        tree.path(store)
    done = tree.image_store(tmp_path / "state")
    assert done.returncode == 1 and re.fullmatch(r"image-store: lib/base/none\.[ch]: No such file .*\n", done.stderr)


def test_offline_another_store_makes_the_same_of_the_checkout(zygote, tmp_path):
    """The path that the suite's store has, and the same bytes, with no network at all."""
    store = own_store(tmp_path / "state")
    add_image(store, tmp_path, PINS)
    add_image(store, tmp_path, TOOLCHAIN)
    link = tmp_path / "result"
    apart = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--net"]
    done = subprocess.run([*apart, "nix", "build", ".#zygote", "--out-link", link], cwd=ROOT, env=store.env, timeout=200,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.readlink(link) == zygote
    query = ["nix-store", "--query", "--hash", zygote]
    assert store.as_owner(query) == suite_store().as_owner(query)
    subprocess.run(["chmod", "-R", "u+w", tmp_path], check=True)


# --- what it is ---

def symbols(program):
    listed = subprocess.run(["nm", "-D", "--defined-only", program], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in listed.splitlines()}


def dynamic(program):
    return subprocess.run(["readelf", "-Wdlh", program], check=True, capture_output=True, text=True).stdout


def test_it_meets_the_world_as_the_interpreter_does(zygote):
    program, python = physical(zygote) / "bin/cuvette-zygote", physical(PINS["path"]) / "usr/bin/python3.11"
    # Extension modules find all that they may ask for, and none of our own names.
    assert len(symbols(python)) > 1500
    assert symbols(python) <= symbols(program)
    assert not [name for name in symbols(program) if name.startswith("cuv_")]
    ours, theirs = dynamic(program), dynamic(python)
    needed = re.compile(r"\(NEEDED\) .*\[(.*)\]")
    assert sorted(needed.findall(ours)) == sorted(needed.findall(theirs))
    assert "interpreter: /lib64/ld-linux-x86-64.so.2]" in ours
    assert "RUNPATH" not in ours and "RPATH" not in ours
    assert "GNU_RELRO" in ours and "NOW" in ours
    assert re.search(r"GNU_STACK .* RW ", ours)


def test_a_box_needs_nothing_more_for_it(zygote):
    assert suite_store().as_owner(["nix-store", "--query", "--references", zygote]).strip() == ""
    assert os.listdir(physical(zygote)) == ["bin"] and os.listdir(physical(zygote) / "bin") == ["cuvette-zygote"]
    program = (physical(zygote) / "bin/cuvette-zygote").read_bytes()
    # It knows what a store path begins with, and none.
    assert not re.search(rb"/nix/store/[0-9a-z]{32}-", program)
    assert b"/build" not in program and os.fsencode(ROOT) not in program


# --- image-store ---

def test_changed_sources_are_built_anew_and_only_these(tree, copy):
    done = tree.image_store(copy.folder)
    assert made(done) == ["zygote"] and downloads(done) == []
    first = os.readlink(copy.roots / "zygote")
    assert first == tree.path(copy.store)
    assert f"zygote {first}\n" in done.stdout

    again = tree.image_store(copy.folder)
    assert made(again) == [] and again.stderr == "" and again.stdout == done.stdout

    tree.write("worker-image/zygote/number.h", "#define NUMBER 8\n")
    assert made(tree.image_store(copy.folder)) == ["zygote"]
    second = os.readlink(copy.roots / "zygote")
    assert second != first and second == tree.path(copy.store)
    assert not (copy.folder / "image-work").exists()
    runs_in_the_image(copy, second)

    # A source that does not compile is said in full, and the link stays.
    tree.append("worker-image/zygote/main.c", "int a = ;\n")
    done = tree.image_store(copy.folder)
    assert done.returncode == 1
    assert re.search(r"worker-image/zygote/main\.c:\d+:\d+: error: ", done.stderr), done.stderr
    assert done.stderr.endswith("image-store: the zygote can't be built; why is said above\n")
    assert os.readlink(copy.roots / "zygote") == second


def runs_in_the_image(copy, path):
    """As a box has it: the image as root, the store path at its place."""
    if os.geteuid() != 0:
        return
    root = copy.folder / "root"
    shutil.copytree(physical(PINS["path"]), root, symlinks=True)
    root.chmod(0o755)
    (root / "nix/store").chmod(0o755)
    subprocess.run(["cp", "-a", copy.physical(path), root / "nix/store"], check=True)

    def run(program, *arguments):
        done = subprocess.run(["/usr/sbin/chroot", "--userspec=1000:1000", root, program, *arguments], timeout=250,
                              capture_output=True, text=True, env={"PATH": "/usr/bin"}, check=True)
        return done.stdout, done.stderr

    program = path + "/bin/cuvette-zygote"
    assert run(program, "where") == ("worker-image/zygote/main.c 8 -1\n", "")
    code = ("import sys, ssl, ctypes, sqlite3, zlib, pyexpat, lzma, decimal;"
            "print(sys.version, sys.prefix, sys.flags, sorted(sys.builtin_module_names), sys.path[1:])")
    said, remark = run(program, "-I", "-c", code)
    # Its own function goes before the interpreter's.
    assert (said, remark) == (run("/usr/bin/python3.11", "-I", "-c", code)[0], "the end\n")


def test_where_the_zygote_is_there_nothing_is_downloaded(copy):
    """The toolchain gone, the note of what it was made from gone: still nothing to do but look."""
    zygote = os.readlink(copy.roots / "zygote")
    copy.delete("toolchain")
    (copy.folder / "zygote.made").unlink()
    done = image_store(copy, "none")
    assert made(done) == ["zygote"] and downloads(done) == []
    assert os.readlink(copy.roots / "zygote") == zygote
    assert not os.path.lexists(copy.roots / "toolchain")


def test_where_it_is_not_there_the_toolchain_is_downloaded(copy, mirror):
    zygote = os.readlink(copy.roots / "zygote")
    for link in ("zygote", "toolchain"):
        copy.delete(link)
    done = image_store(copy, mirror)
    assert made(done) == ["toolchain", "zygote"]
    assert len(downloads(done)) == len(TOOLCHAIN["debs"])
    assert os.readlink(copy.roots / "zygote") == zygote
    assert os.readlink(copy.roots / "toolchain") == TOOLCHAIN["path"]
    assert os.readlink(copy.roots / IMAGE_LINK) == PINS["path"]


def test_a_note_that_is_wrong_is_not_believed(copy, mirror):
    note = copy.folder / "zygote.made"
    right = note.read_text()
    digest, path = right.split()
    other = path.replace(path[11:43], "0" * 32)
    for text in ("", "no note\n", "\xff\n", f"{digest} {other}\n", f"{digest[::-1]} {path}\n", f"{digest}\n"):
        note.write_text(text, encoding="latin-1")
        done = image_store(copy, mirror)
        assert made(done) == ["zygote"] and downloads(done) == [], text
        assert note.read_text() == right


def test_a_link_to_nothing_is_not_believed(copy, mirror):
    path = os.readlink(copy.roots / "zygote")
    copy.delete("zygote")
    copy.store.as_owner(["ln", "-s", path, str(copy.roots / "zygote")])
    assert made(image_store(copy, mirror)) == ["zygote"]
    assert os.path.exists(copy.physical(path))
