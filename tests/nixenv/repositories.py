# SPDX-License-Identifier: MIT
"""Git repositories for tests, served by git's own HTTP program."""
import contextlib
import http.server
import os
import pathlib
import ssl
import subprocess
import threading

BACKEND = "/usr/lib/git-core/git-http-backend"
ENV = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "t",
       "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
       "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z"}


def git(folder, *words, data=None):
    done = subprocess.run(["git", "-C", str(folder), *words], env=ENV, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


class Repository:
    """A repository with a work tree; commit() takes files as {path: text or bytes}."""

    def __init__(self, folder, *options):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        git(self.folder, "init", "-q", "-b", "main", *options)
        git(self.folder, "config", "core.compression", "1")

    def commit(self, files, message="a change"):
        for path, data in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data if isinstance(data, bytes) else data.encode())
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.folder, "rev-parse", "HEAD")

    def raw_tree(self, entries):
        """A commit of entries that git itself would not write: [(mode, name, object's name)]."""
        data = b"".join(f"{mode} ".encode() + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
        tree = git(self.folder, "hash-object", "-t", "tree", "--literally", "-w", "--stdin", data=data)
        commit = git(self.folder, "commit-tree", tree, "-m", "odd")
        git(self.folder, "update-ref", "refs/heads/odd", commit)
        return commit

    def blob(self, data):
        return git(self.folder, "hash-object", "-w", "--stdin", data=data)


class GitServer:
    """Serves the repositories below a folder; before(handler) may answer instead."""

    def __init__(self, folder, tls=None):
        self.before, self.seen, self.config = None, [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self):
                outer.serve(self)

            def do_POST(self):
                outer.serve(self)

            def log_message(self, *_):
                pass

        self.root = str(folder)
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        self.site = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def serve(self, handler):
        path, _, query = handler.path.partition("?")
        self.seen.append((handler.command, path, dict(handler.headers)))
        if self.before and self.before(handler):
            return
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        settings = {f"GIT_CONFIG_KEY_{n}": key for n, (key, _) in enumerate(self.config)}
        settings |= {f"GIT_CONFIG_VALUE_{n}": value for n, (_, value) in enumerate(self.config)}
        done = subprocess.run([BACKEND], input=body, capture_output=True, check=False, env={
            **ENV, "GIT_PROJECT_ROOT": self.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": handler.command, "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "GIT_CONFIG_COUNT": str(len(self.config)), **settings})
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        status = 200
        fields = [line.split(": ", 1) for line in head.decode().splitlines()]
        for name, value in fields:
            status = int(value.split()[0]) if name == "Status" else status
        handler.send_response(status)
        for name, value in fields:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(data)


def usable():
    return os.access(BACKEND, os.X_OK)
