# SPDX-License-Identifier: MIT
"""Source distributions for tests: small ones of our own, and an index that serves them."""
import contextlib
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading

UPLOADED = "2020-01-01T00:00:00Z"
# A backend in the source itself needs nothing from any index.
PYPROJECT = '[build-system]\nrequires = {requires}\nbuild-backend = "backend"\nbackend-path = ["."]\n'
BACKEND = '''
import zipfile, os

def wheel(folder, name="{name}", version="{version}", tag="py3-none-any", files=None, requires=()):
    file = f"{{name}}-{{version}}-{{tag}}.whl"
    info = f"{{name}}-{{version}}.dist-info"
    lines = "".join(f"Requires-Dist: {{r}}\\n" for r in requires)
    with zipfile.ZipFile(os.path.join(folder, file), "w") as z:
        for path, text in (files or {{"{name}.py": "VALUE = 42\\n"}}).items():
            z.writestr(zipfile.ZipInfo(path), text)
        z.writestr(zipfile.ZipInfo(info + "/METADATA"),
                   f"Metadata-Version: 2.1\\nName: {{name}}\\nVersion: {{version}}\\n" + lines)
        z.writestr(zipfile.ZipInfo(info + "/WHEEL"),
                   f"Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: {{tag}}\\n")
        z.writestr(zipfile.ZipInfo(info + "/RECORD"), "")
    return file

{code}
'''
PLAIN = "def build_wheel(folder, config=None, metadata=None):\n    return wheel(folder)\n"


def sdist(name, version, files):
    """The bytes of a .tar.gz with these {path: text or TarInfo} below name-version/."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for path, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size = len(content.encode())
            info.mtime = 1500000000
            archive.addfile(info, io.BytesIO(content.encode()))
    return out.getvalue()


def own(name, code=PLAIN, version="1.0", requires=(), more=None):
    """A project whose build backend is this code; `wheel` is there to be called."""
    listed = "[" + ", ".join(f'"{r}"' for r in requires) + "]"
    return sdist(name, version, {"pyproject.toml": PYPROJECT.format(requires=listed), "PKG-INFO": f"Name: {name}\n",
                                 "backend.py": BACKEND.format(name=name, version=version, code=code), **(more or {})})


class Index:
    """Projects of files, by PEP 691; what it was asked for."""

    def __init__(self):
        self.projects, self.asked = {}, []

    def add(self, name, file, data):
        self.projects.setdefault(name.replace("_", "-"), {})[file] = data

    def add_sdist(self, name, data, version="1.0"):
        self.add(name, f"{name}-{version}.tar.gz", data)

    def answer(self, path):
        parts = path.strip("/").split("/")
        self.asked.append(path)
        if parts[0] == "simple" and len(parts) == 2 and parts[1] in self.projects:
            files = [{"filename": file, "url": f"/files/{parts[1]}/{file}", "upload-time": UPLOADED,
                      "hashes": {"sha256": hashlib.sha256(data).hexdigest()}, "size": len(data)}
                     for file, data in self.projects[parts[1]].items()]
            text = json.dumps({"meta": {"api-version": "1.1"}, "name": parts[1], "files": files})
            return "application/vnd.pypi.simple.v1+json", text.encode()
        if parts[0] == "files" and len(parts) == 3:
            data = self.projects.get(parts[1], {}).get(parts[2])
            return ("application/octet-stream", data) if data is not None else None
        return None


@contextlib.contextmanager
def serving(index):
    """Its address, while it is served on loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            found = index.answer(self.path)
            self.send_response(200 if found else 404)
            body = found[1] if found else b""
            self.send_header("Content-Type", found[0] if found else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()
