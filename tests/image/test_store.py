# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""tools/image-store: nothing to do at once, broken off, closed folders, mirrors of every form."""
import importlib.machinery
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from helpers import IMAGES, IMAGE_LINK, PINS, ROOT, TOOLS, image_common, image_fetch, lay_out_mirror, open_up, state

TOOL = ROOT / "tools/image-store"


def call(folder, *arguments, **more):
    return subprocess.run([TOOL, folder, *arguments], capture_output=True, text=True, timeout=300, check=False, **more)


def roots(folder):
    return folder / "nix/nix/var/nix/gcroots/cuvette"


@pytest.fixture
def open_folder(tmp_path_factory):
    """A folder that the store's owner can reach, as a state folder must be."""
    folder = tmp_path_factory.mktemp("state")
    open_up(folder)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwX", folder], check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def disk_mirror(tmp_path_factory):
    return lay_out_mirror(tmp_path_factory.mktemp("mirror"), PINS)


def test_a_whole_store_needs_no_process_and_no_time():
    times = []
    for _ in range(10):
        begun = os.times()
        assert call(state()).returncode == 0
        ended = os.times()  # of the processor: other tests run at the same time
        times.append(ended.children_user - begun.children_user + ended.children_system - begun.children_system)
    assert min(times) < 0.1, times
    traced = subprocess.run(["strace", "-f", "-qq", "-e", "trace=execve,fork,vfork,clone,clone3", TOOL, state()],
                            capture_output=True, text=True, timeout=250, check=True)
    calls = [line for line in traced.stderr.splitlines() if "execve(" in line or "clone" in line or "fork(" in line]
    assert len(calls) == 1 and "image-store" in calls[0], calls


def test_it_prints_what_the_links_say():
    lines = dict(line.split() for line in call(state()).stdout.splitlines())
    assert lines.pop("zygote").endswith("-cuvette-zygote")
    assert lines.pop("zygote-python313").endswith("-cuvette-zygote-python313")
    assert lines == {**{f"worker-image-{pins['image']}": pins["path"] for pins in IMAGES.values()}, **{tool["name"]: tool["path"] for tool in TOOLS.values()}}
    for name, path in lines.items():
        assert os.readlink(roots(state()) / name) == path


def test_a_store_from_nothing_with_progress(open_folder, disk_mirror):
    environment = {**os.environ, "CUVETTE_DEB_MIRRORS": f"file:{disk_mirror}"}
    done = call(open_folder, "--only", IMAGE_LINK, env=environment)
    assert done.returncode == 0, done.stderr
    total = len(PINS["debs"])
    said = done.stderr.splitlines()
    assert [line for line in said if line.startswith("downloading ")][0].startswith(f"downloading 1/{total} ")
    assert f"building 1/1 {IMAGE_LINK}" in said
    assert os.readlink(roots(open_folder) / IMAGE_LINK) == PINS["path"]
    assert not (open_folder / "image-work").exists()
    if os.geteuid() == 0:
        owner = image_common.builder_uid()
        assert (open_folder / "nix").stat().st_uid == owner
        assert os.lstat(image_common.physical(str(open_folder), PINS["path"])).st_uid == owner


def being_built(folder):
    """Nix's sandbox stands for as long as the image is unpacked and hashed."""
    names = os.listdir(folder / "nix/nix/store")
    return any(name.endswith(f"{IMAGE_LINK}.drv.chroot") for name in names)


def test_killed_while_it_builds_it_is_whole_the_next_time(open_folder, disk_mirror):
    environment = {**os.environ, "CUVETTE_DEB_MIRRORS": f"file:{disk_mirror}"}
    with subprocess.Popen([TOOL, open_folder, "--only", IMAGE_LINK], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          text=True, env=environment, start_new_session=True) as child:
        for line in child.stderr:
            if line.startswith("building"):
                while not being_built(open_folder) and child.poll() is None:
                    time.sleep(0.001)
                os.killpg(child.pid, signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL
    assert not os.path.lexists(roots(open_folder) / IMAGE_LINK)
    done = call(open_folder, "--only", IMAGE_LINK, env=environment)
    assert done.returncode == 0, done.stderr
    made = image_common.physical(str(open_folder), PINS["path"])
    digest = subprocess.run(["nix-hash", "--type", "sha256", made], capture_output=True, text=True, check=True).stdout
    assert digest.strip() == PINS["sha256"]


def test_a_removed_path_is_made_again(open_folder, disk_mirror):
    """A root that leads nowhere is not taken for a whole store."""
    environment = {**os.environ, "CUVETTE_DEB_MIRRORS": f"file:{disk_mirror}"}
    roots(open_folder).mkdir(parents=True)
    os.symlink(PINS["path"], roots(open_folder) / IMAGE_LINK)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", str(image_common.builder_uid()), open_folder / "nix"], check=True)
    assert call(open_folder, "--only", IMAGE_LINK, env=environment).returncode == 0
    assert os.path.isdir(image_common.physical(str(open_folder), PINS["path"]))


def test_as_an_ordinary_user(open_folder, disk_mirror, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("the whole suite runs as an ordinary user already")
    tree = tmp_path_factory.mktemp("tree")
    for name in ("flake.nix", "flake.lock", "tools", "worker-image", "nixenv", "lib"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / name)
    (tree / "build/bin").mkdir(parents=True)
    shutil.copy(os.path.join(os.environ.get("CUVETTE_BUILD", ROOT / "build"), "bin/cuvette-unpack"), tree / "build/bin")
    open_up(tree)
    subprocess.run(["chmod", "-R", "a+rX", tree, disk_mirror], check=True)
    os.chown(open_folder, 65534, 65534)
    done = subprocess.run([tree / "tools/image-store", open_folder, "--only", IMAGE_LINK], capture_output=True, text=True,
                          timeout=300, check=False, user=65534, group=65534, extra_groups=[], cwd="/",
                          env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent",
                               "CUVETTE_DEB_MIRRORS": f"file:{disk_mirror}"})
    assert done.returncode == 0, done.stderr
    assert os.readlink(roots(open_folder) / IMAGE_LINK) == PINS["path"]
    assert os.lstat(image_common.physical(str(open_folder), PINS["path"])).st_uid == 65534


def test_a_state_folder_that_can_not_be_used_is_named(tmp_path):
    done = call(tmp_path / "with blank")
    assert done.returncode == 1 and "may hold letters" in done.stderr
    if os.geteuid() == 0:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        done = call(closed / "state")
        assert done.returncode == 1 and "can't enter" in done.stderr and str(closed) in done.stderr
    taken = tmp_path / "taken"
    (taken / "sub").mkdir(parents=True)
    open_up(taken)
    os.symlink(taken / "sub", taken / "nix")
    done = call(taken)
    assert done.returncode == 1 and "is not a folder of uid" in done.stderr


@pytest.mark.parametrize("arguments", [["--only", "nothing"], ["--uid"], ["--bogus"], ["--uid", "-5"]])
def test_wrong_arguments_get_one_line(tmp_path, arguments):
    done = call(tmp_path / "x", *arguments)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "x" / "nix").exists()


def test_the_next_mirror_is_asked_and_wrong_bytes_are_refused(tmp_path, disk_mirror):
    deb = next(deb for deb in PINS["debs"] if deb["package"] == "netbase")
    wrong = tmp_path / "wrong" / deb["path"]
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes((disk_mirror / deb["path"]).read_bytes() + b"x")
    bad = [f"file:{tmp_path / 'wrong'}", "http://127.0.0.1:9/debian", f"file:{tmp_path / 'none'}"]
    folder = tmp_path / "files"
    folder.mkdir()
    with pytest.raises(image_common.Failure, match="netbase .* none of apt's 3 mirrors"):
        image_fetch.fetch_deb(deb, str(folder), bad)
    path = image_fetch.fetch_deb(deb, str(folder), bad + [f"file:{disk_mirror}"])
    assert image_common.file_sha256(path) == deb["sha256"]


def test_a_package_comes_from_the_machines_own_mirrors(tmp_path):
    deb = next(deb for deb in PINS["debs"] if deb["package"] == "netbase")
    path = image_fetch.fetch_deb(deb, str(tmp_path), image_common.mirrors())
    assert image_common.file_sha256(path) == deb["sha256"]


def test_mirrors_are_read_from_every_form_of_apts_configuration(tmp_path):
    parts = tmp_path / "sources"
    (tmp_path / "lists").mkdir()
    parts.mkdir()
    (parts / "one.sources").write_text("Types: deb deb-src\nURIs: http://deb822.example/debian/ http://more.example/d\n"
                                       "Suites: bookworm\nComponents: main\n")
    (parts / "off.sources").write_text("Enabled: no\nTypes: deb\nURIs: http://off.example/\nSuites: bookworm\n"
                                       "Components: main\n")
    (tmp_path / "sources.list").write_text(f"# a remark\ndeb [arch=amd64] http://line.example/debian bookworm main\n"
                                           f"deb mirror+file:{tmp_path}/mirrors bookworm main\n")
    (tmp_path / "mirrors").write_text("http://second.example/debian\tpriority:2\nhttp://first.example/debian priority:1\n"
                                      "# none\nhttp://last.example/debian\n")
    found = image_common.mirrors("-o", f"Dir::Etc::SourceList={tmp_path}/sources.list",
                                 "-o", f"Dir::Etc::SourceParts={parts}", "-o", f"Dir::State::Lists={tmp_path}/lists")
    assert set(found) == {f"http://{name}.example/debian" for name in ("deb822", "line", "first", "second", "last")} | {
        "http://more.example/d"}
    assert [found.index(f"http://{name}.example/debian") for name in ("first", "second", "last")] == sorted(
        found.index(f"http://{name}.example/debian") for name in ("first", "second", "last"))


def test_which_pythons_a_store_is_made_with(tmp_path):
    """The default; those asked for; those that it has had, so that an update brings them along."""
    sys.argv[0] = str(TOOL)
    loader = importlib.machinery.SourceFileLoader("image_store", str(TOOL))
    tool = importlib.util.module_from_spec(importlib.util.spec_from_loader("image_store", loader))
    loader.exec_module(tool)

    def links(*arguments):
        return tool.wanted(tool.parse([str(tmp_path), *arguments]))

    default = ["worker-image-python311", "ruff", "uv", "zygote"]
    both = ["worker-image-python311", "worker-image-python313", "ruff", "uv", "zygote", "zygote-python313"]
    assert links() == links("--python", "3.11") == default
    assert links("--python", "3.13") == links("--python", "all") == both
    assert links("--only", "zygote") == ["zygote"]
    only = links("--only", "image", "--only", "toolchain", "--python", "3.13")
    assert sorted(only) == ["toolchain-python313", "worker-image-python313"]
    roots(tmp_path).mkdir(parents=True)
    (roots(tmp_path) / "worker-image-python313").symlink_to("/nix/store/gone")
    assert links() == both


def test_a_python_that_there_is_not(tmp_path):
    done = call(tmp_path / "state", "--python", "3.12")
    assert (done.returncode, done.stderr) == (1, "image-store: there is no Python 3.12; there are: 3.11, 3.13\n")
    assert not (tmp_path / "state").exists()
