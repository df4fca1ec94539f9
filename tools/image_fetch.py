# SPDX-License-Identifier: MIT
"""Downloads of pinned files, by the machine's own apt and pip.

Both know the machine's proxies, certificates, credentials and mirrors, so none
of these is named here. Nothing is taken unless its hash is the pinned one.
"""
import os
import shutil
import subprocess

from image_common import (DOWNLOAD_S_MAX, Failure, deb_name, file_sha256, megabytes, run, say)

APT_HELPER = "/usr/lib/apt/apt-helper"


def _have(path, sha256):
    return os.path.isfile(path) and file_sha256(path) == sha256


def _copy(source, path):
    try:
        shutil.copyfile(source, path)
    except OSError:
        pass


def fetch_deb(deb, folder, mirrors):
    """Brings one package from the first mirror that has it; the file's path."""
    path = os.path.join(folder, deb_name(deb))
    if _have(path, deb["sha256"]):
        return path
    for mirror in mirrors:
        if mirror.startswith("file:"):
            # apt leaves such files where they are.
            _copy(f"/{mirror[5:].lstrip('/')}/{deb['path']}", path)
        else:
            run([APT_HELPER, "-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2", "download-file",
                 f"{mirror}/{deb['path']}", path, f"SHA256:{deb['sha256']}"],
                DOWNLOAD_S_MAX, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if _have(path, deb["sha256"]):
            return path
    raise Failure(f"{deb['package']} {deb['version']}: none of apt's {len(mirrors)} mirrors has this file "
                  "with the pinned hash (no network? or superseded: make update-pins)")


def fetch_wheel(tool, folder):
    """Brings a tool's wheel by pip; the file's path. pip checks the hash before it
    keeps the file; it runs no code of the wheel."""
    wheel = tool["wheel"]
    path = os.path.join(folder, wheel["file"])
    if _have(path, wheel["sha256"]):
        return path
    listed = os.path.join(folder, tool["name"] + ".requirements")
    with open(listed, "w", encoding="ascii") as file:
        file.write(f"{tool['name']}=={tool['version']} --hash=sha256:{wheel['sha256']}\n")
    done = run(["/usr/bin/python3", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                "--require-hashes", "--no-cache-dir", "--disable-pip-version-check", "-d", folder, "-r", listed],
               DOWNLOAD_S_MAX, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.unlink(listed)
    if not _have(path, wheel["sha256"]):
        last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")][-1:] or ["no such file"]
        raise Failure(f"{tool['name']} {tool['version']}: pip could not bring {wheel['file']}: {last[0]}")
    return path


def fetch_all(debs, tools, folder, mirrors):
    """All files, with one line of progress each; their paths."""
    total = len(debs) + len(tools)
    paths = []
    for deb in debs:
        say(f"downloading {len(paths) + 1}/{total} {deb['package']} {megabytes(deb['size'])}")
        paths.append(fetch_deb(deb, folder, mirrors))
    for tool in tools:
        say(f"downloading {len(paths) + 1}/{total} {tool['name']} {megabytes(tool['wheel']['size'])}")
        paths.append(fetch_wheel(tool, folder))
    return paths
