# SPDX-License-Identifier: MIT
"""A package index that behaves as a test wants it to: on the loopback, if nothing else is said."""
import base64
import contextlib
import hashlib
import http.server
import io
import json
import pathlib
import socketserver
import ssl
import subprocess
import threading
import zipfile

UPLOADED = "2024-01-01T00:00:00Z"
OURS = "cuvette/"


def wheel(name, version="1.0", requires=(), payload=b"", tag="py3-none-any"):
    """(file name, bytes, METADATA) of a wheel with one module."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {text}\n" for text in requires)
    files = {f"{module}.py": f"VERSION = {version!r}\n".encode(), f"{info}/METADATA": metadata.encode(),
             f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()}
    if payload:
        files[f"{module}.bin"] = payload
    rows, out = [], io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{path},sha256={digest},{len(data)}\n")
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD", (2024, 1, 1, 0, 0, 0)), "".join(rows) + f"{info}/RECORD,,\n")
    return f"{module}-{version}-{tag}.whl", out.getvalue(), metadata.encode()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Reply:
    """How one request was answered: helpers for a behaviour, which gets one of these."""

    def __init__(self, handler, data, count):
        self.handler, self.data, self.count = handler, data, count
        self.headers, self.path = handler.headers, handler.path

    def head(self, status, length, **more):
        self.handler.send_response(status)
        self.handler.send_header("Content-Length", str(length))
        for name, value in more.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()

    def body(self, data):
        with contextlib.suppress(OSError):
            self.handler.wfile.write(data)

    def whole(self, data=None, **more):
        data = self.data if data is None else data
        self.head(200, len(data), **more)
        self.body(data)

    def cut(self, sent, **more):
        """All is promised, some is sent, the connection is closed."""
        self.head(200, len(self.data), **more)
        self.body(self.data[:sent])
        self.hang_up()

    def hang_up(self):
        self.handler.close_connection = True
        with contextlib.suppress(OSError):
            self.handler.connection.shutdown(2)

    def start(self):
        """Where the asked-for range begins; None for the whole."""
        wanted = self.headers.get("Range", "")
        return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted.startswith("bytes=") else None

    def rest(self, data=None, **more):
        data, start = self.data if data is None else data, self.start()
        self.head(206, len(data) - start, Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}", **more)
        self.body(data[start:])

    def redirect(self, to):
        self.head(302, 0, Location=to)


class Listener(http.server.ThreadingHTTPServer):
    """Without the question what the address is called, which asks the network."""
    daemon_threads = True

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address


class Server:
    """Files by path; `behaviours` are functions of a Reply by path, for our downloader
    only, and `resolver` the same for all others; `auth` is what the Authorization header must be. `seen` are the requests."""

    def __init__(self, tls=None, address="127.0.0.1"):
        self.files, self.behaviours, self.seen, self.auth, self.counts = {}, {}, [], None, {}
        self.projects, self.resolver = {}, {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self)

            def do_HEAD(self):
                self.send_error(405)

            def log_message(self, *_):
                pass

        self.http = Listener((address, 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        self.site = f"http{'s' if tls else ''}://{address}:{self.port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def answer(self, handler):
        path = handler.path.partition("?")[0]
        self.seen.append((path, dict(handler.headers)))
        if self.auth and handler.headers.get("Authorization") != self.auth:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="test"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        ours = handler.headers.get("User-Agent", "").startswith(OURS)
        data = self.page(path) or self.files.get(path)
        if data is None and path not in self.behaviours:
            handler.send_error(404)
            return
        if path in self.resolver and not ours:
            data = data[0] if isinstance(data, tuple) else data
            with contextlib.suppress(OSError):
                self.resolver[path](Reply(handler, data, 1))
        elif path in self.behaviours and ours:
            self.counts[path] = self.counts.get(path, 0) + 1
            self.behaviours[path](Reply(handler, data, self.counts[path]))
        elif isinstance(data, tuple):
            Reply(handler, data[0], 1).whole(Content_Type=data[1])
        else:
            Reply(handler, data, 1).whole()

    def page(self, path):
        name = path.removeprefix("/simple/").strip("/")
        if not path.startswith("/simple/") or name not in self.projects:
            return None
        entries = [{"filename": file, "url": url, "size": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                    "upload-time": UPLOADED, "yanked": False,
                    "core-metadata": {"sha256": hashlib.sha256(metadata).hexdigest()}}
                   for file, data, metadata, url in self.projects[name]]
        text = json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": entries})
        return text.encode(), "application/vnd.pypi.simple.v1+json"

    def add(self, made, url=None):
        """A wheel of wheel(); returns its path."""
        file, data, metadata = made
        path = f"/files/{file}"
        self.files[path], self.files[path + ".metadata"] = data, metadata
        name = file.split("-")[0].replace("_", "-")
        self.projects.setdefault(name, []).append((file, data, metadata, url or self.site + path))
        return path

    def ours(self, path):
        """The headers of our downloader's requests for a path."""
        return [headers for seen, headers in self.seen if seen == path and headers.get("User-Agent", "").startswith(OURS)]

    @property
    def index(self):
        return f"{self.site}/simple"


def make_certificate(folder):
    """A certificate for 127.0.0.1 that signs itself: (certificate, key)."""
    folder = pathlib.Path(folder)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
                    "-out", str(certificate)], check=True, capture_output=True)
    return str(certificate), str(key)
