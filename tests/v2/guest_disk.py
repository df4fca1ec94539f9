# SPDX-License-Identifier: MIT
"""Makes what the guest boots from: Debian's cloud kernel and busybox out of
their packages (nothing is installed), an initramfs with the disk's driver, and a
disk with launcher, test client, worker image, zygote, cases and the escape suite."""
import os
import pathlib
import re
import shutil
import subprocess

from cpio import write_initramfs

HERE = pathlib.Path(__file__).resolve().parent
WANTED_MODULES = ("virtio_pci", "virtio_blk")
DISK_SPARE = 1.25
STORE = "state/nix/nix/store"  # in the guest


class CannotMake(Exception):
    """Something is missing on this machine; the text says what to do."""


def _output(*command) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def package(name: str, cache: pathlib.Path) -> pathlib.Path:
    """The package's newest version, unpacked below cache (once)."""
    try:
        version = re.search(r"Candidate: (\S+)", _output("apt-cache", "policy", name)).group(1)
    except (AttributeError, OSError, subprocess.CalledProcessError):
        version = "(none)"
    if version == "(none)":
        raise CannotMake(f"apt does not know the package {name}: run `apt-get update` (this check needs Debian's packages)")
    folder = cache / f"{name}_{version.replace(':', '%3a')}"
    if not folder.is_dir():
        download = cache / "download"
        shutil.rmtree(download, ignore_errors=True)
        download.mkdir(parents=True)
        done = subprocess.run(["apt-get", "download", "-q", name], cwd=download, capture_output=True, text=True, check=False)
        files = list(download.glob("*.deb"))
        if done.returncode or not files:
            raise CannotMake(f"apt-get download {name}: {done.stderr.strip()[-300:]}")
        unpacked = cache / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        subprocess.run(["dpkg-deb", "-x", str(files[0]), str(unpacked)], check=True)
        unpacked.rename(folder)
        shutil.rmtree(download)
    return folder


def kernel(cache: pathlib.Path) -> pathlib.Path:
    """Folder of the kernel's package; the meta package names it."""
    try:
        depends = _output("apt-cache", "depends", "linux-image-cloud-amd64")
    except (OSError, subprocess.CalledProcessError):
        depends = ""
    found = re.search(r"Depends: (linux-image-[0-9]\S+)", depends)
    if not found:
        raise CannotMake("apt does not know linux-image-cloud-amd64: run `apt-get update` (this check needs Debian's packages)")
    return package(found.group(1), cache)


def _module_order(modules: pathlib.Path) -> list:
    """Files of the wanted modules, each after those it depends on."""
    files = {path.name.removesuffix(".ko"): path for path in modules.rglob("*.ko")}
    order = []

    def add(name):
        depends = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())
        for other in depends.group(1).decode().split(",") if depends else []:
            if other:
                add(other)
        if files[name] not in order:
            order.append(files[name])

    for name in WANTED_MODULES:
        if name in files:  # else it is built in
            add(name)
    return order


def make_initramfs(path: pathlib.Path, kernel_folder: pathlib.Path, busybox: pathlib.Path) -> None:
    order = _module_order(kernel_folder / "lib/modules")
    files = {"init": ((HERE / "guest/init").read_bytes(), 0o755), "bin/busybox": (busybox.read_bytes(), 0o755),
             "modules/order": ("\n".join(p.name for p in order).encode() + b"\n", 0o644)}
    files.update({f"modules/{p.name}": (p.read_bytes(), 0o644) for p in order})
    write_initramfs(str(path), files, ["bin", "dev", "proc", "disk", "modules"])


def _libraries(program: pathlib.Path) -> list:
    """None of a static program, which ldd calls an error."""
    text = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(?:=> )?(/\S+) \(0x", text)


def linked(store: pathlib.Path, name: str) -> pathlib.Path:
    """The store path that a link of the state folder holds."""
    link = store.parent / "var/nix/gcroots/cuvette" / name
    try:
        return store / os.path.basename(os.readlink(link))
    except OSError as error:
        raise CannotMake(f"{store} has no {name}: `make store` makes it") from error


def _write_python(path: pathlib.Path, image: str) -> None:
    """The worker image's interpreter with its own libraries, outside of any box."""
    root = f"/{STORE}/{image}/usr"
    path.write_text(f"#!/bin/busybox sh\nexec {root}/lib64/ld-linux-x86-64.so.2 --library-path {root}/lib/x86_64-linux-gnu "
                    f'{root}/bin/python3 "$@"\n')
    path.chmod(0o755)


def make_disk(path: pathlib.Path, work: pathlib.Path, programs: list, store: pathlib.Path, busybox: pathlib.Path) -> None:
    root = work / "root"
    if root.exists():
        subprocess.run(["chmod", "-R", "u+rwX", str(root)], check=False)
        shutil.rmtree(root)
    for folder in ("bin", "dev", "proc", "sys", "tmp", "run", STORE, "etc", "home", "tests"):
        (root / folder).mkdir(parents=True)
    shutil.copytree(HERE / "guest", root / "guest")
    shutil.copy(busybox, root / "bin/busybox")
    for name in _output(str(busybox), "--list").split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    for program in programs:
        shutil.copy(program, root / "bin" / program.name)
        for library in _libraries(program):
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    image, zygote = linked(store, "worker-image-python311"), linked(store, "zygote")
    subprocess.run(["cp", "-a", str(image), str(zygote), str(root / STORE)], check=True)
    (root / "guest/image").write_text(image.name)
    (root / "guest/zygote").write_text(zygote.name)
    _write_python(root / "bin/python3", image.name)
    shutil.copytree(HERE.parent / "sandbox", root / "tests/sandbox")
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")
    size = int(_output("du", "-s", "--block-size=1", str(root)).split()[0]) * DISK_SPARE + (32 << 20)
    path.unlink(missing_ok=True)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-d", str(root),
                    str(path), f"{int(size) >> 10}k"], check=True, stdout=subprocess.DEVNULL)
