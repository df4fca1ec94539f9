# SPDX-License-Identifier: MIT
"""nginx and Caddy as Debian has them, not installed (they would serve at once), with the files of examples/proxy."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess

import pytest

import client

EXAMPLES = client.ROOT / "examples/proxy"


def program(package: str, path: str) -> str:
    """Installed, or unpacked into the build folder from the package that the machine's own sources have."""
    if found := shutil.which(pathlib.Path(path).name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"):
        return found
    folder = pathlib.Path(os.environ.get("CUVETTE_BUILD", "build")).resolve() / "tests/proxies" / package
    if not (folder / path).exists():
        loading = folder.with_name(f".{package}-{os.getpid()}")
        loading.mkdir(parents=True)
        try:
            got = subprocess.run(["apt-get", "download", "-q", package], cwd=loading, stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, timeout=300)
            archives = list(loading.glob("*.deb"))
            if got.returncode != 0 or not archives:
                pytest.skip(f"the package {package} is not to be had")
            subprocess.run(["dpkg-deb", "-x", archives[0], loading], check=True, timeout=300)
            archives[0].unlink()
            with contextlib.suppress(OSError):  # another one was faster
                loading.rename(folder)
        finally:
            shutil.rmtree(loading, ignore_errors=True)
    return str(folder / path)


def certificate(folder: pathlib.Path) -> ssl.SSLContext:
    """Makes cert.pem and key.pem for localhost; the context trusts it alone."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True,
                   timeout=300)
    return ssl.create_default_context(cafile=folder / "cert.pem")


def free_ports(n: int) -> list[int]:
    ports = set()
    while len(ports) < n:
        ports.add(client.free_port())
    return sorted(ports)


def _replace(text: str, *pairs) -> str:
    """Each pattern is there, or the example is not what this is about any more."""
    for pattern, new in pairs:
        text, n = re.subn(pattern, new, text)
        assert n > 0, f"no {pattern} in the example"
    return text


def nginx(folder: pathlib.Path, upstreams: dict[int, str]) -> list[str]:
    """The command; upstreams: where to listen, and what is behind it."""
    for port, upstream in upstreams.items():
        text = _replace(EXAMPLES.joinpath("nginx.conf").read_text(), (r"server unix:\S+;", f"server {upstream};"),
                        (r"(upstream |http://)cuvette\b", rf"\g<1>cuvette-{port}"),
                        (r"listen 443 ", f"listen 127.0.0.1:{port} "), (r"cuvette\.example", "localhost"),
                        (r"/etc/cuvette/tls", str(folder)))
        folder.joinpath(f"{port}.conf").write_text(text)
    temporary = "".join(f"{name}_temp_path {folder};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.geteuid() == 0 else ""
    folder.joinpath("main.conf").write_text(
        f"{user}daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}include {folder}/[0-9]*.conf;\n}}\n")
    return [program("nginx", "usr/sbin/nginx"), "-e", str(folder / "error.log"), "-p", str(folder), "-c",
            str(folder / "main.conf")]


def caddy(folder: pathlib.Path, upstreams: dict[int, str]) -> list[str]:
    sites = [_replace(EXAMPLES.joinpath("Caddyfile").read_text(), (r"reverse_proxy unix//\S+", f"reverse_proxy {upstream}"),
                      (r"cuvette\.example", f"https://localhost:{port}"), (r"/etc/cuvette/tls", str(folder)))
             for port, upstream in upstreams.items()]
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n}\n"
    folder.joinpath("Caddyfile").write_text(options + "".join(sites))
    return [program("caddy", "usr/bin/caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@contextlib.contextmanager
def running(command: list[str], folder: pathlib.Path, ports):
    with open(folder / "proxy.log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                                   env={"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_DATA_HOME": str(folder),
                                        "XDG_CONFIG_HOME": str(folder)})
    try:
        for port in ports:
            client.wait_until(lambda: process.poll() is not None or _listens(port), 60, "the proxy listens")
            assert process.poll() is None, folder.joinpath("proxy.log").read_text()
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60):
        return True
    return False
