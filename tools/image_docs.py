# SPDX-License-Identifier: MIT
"""The scripts of the pages that show the API (/docs, /redoc): from one pinned wheel, which
pip brings like the tools', into STATE/api-docs. No code of the wheel is run."""
import os

from image_common import ROOT, Failure, file_sha256, megabytes, read_json, say

FOLDER = "api-docs"


def _pins():
    return read_json(os.path.join(ROOT, "tools", "api-docs.json"))


def is_there(state):
    folder = os.path.join(state, FOLDER)
    return all(os.path.isfile(os.path.join(folder, name)) and file_sha256(os.path.join(folder, name)) == file["sha256"]
               for name, file in _pins()["files"].items())


def make(state):
    """The caller holds the state folder's lock."""
    import hashlib
    import shutil
    import tempfile
    import zipfile

    import image_fetch

    pins = _pins()
    folder, work = os.path.join(state, FOLDER), tempfile.mkdtemp(prefix=FOLDER + ".", dir=state)
    try:
        say(f"downloading the pages of the API {megabytes(pins['wheel']['size'])}")
        made = os.path.join(work, "made")
        os.mkdir(made)
        with zipfile.ZipFile(image_fetch.fetch_wheel(pins, work)) as wheel:
            for name, file in pins["files"].items():
                data = wheel.read(file["member"])
                if hashlib.sha256(data).hexdigest() != file["sha256"]:
                    raise Failure(f"{file['member']} of {pins['wheel']['file']} is not the pinned one")
                with open(os.path.join(made, name), "wb") as out:
                    out.write(data)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(made, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
