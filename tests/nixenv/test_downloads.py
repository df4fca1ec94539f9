# SPDX-License-Identifier: MIT
"""The downloader by itself (tests/helpers/getfile.c) against servers that misbehave."""
import hashlib
import json
import os
import subprocess
import threading
import time

import pytest
from helpers import BUILD
from served import Server, basic

GETFILE = BUILD / "tests" / "helpers" / "getfile"
DATA = bytes(range(256)) * 8192  # 2 MiB
PATH = "/files/data.bin"
SECRET = "s3cret-of-the-operator"
CLEAN = ("UV_", "PIP_", "SSL_CERT_DIR", "NETRC", "CUVETTE_TRUSTED", "http_", "https_", "HTTP_", "HTTPS_", "all_proxy", "no_proxy")


@pytest.fixture
def server():
    with Server() as running:
        running.files[PATH] = DATA
        yield running


def get(folder, *words, env=None):
    """The answer; nothing secret may be in it or in the log."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(CLEAN)}
    done = subprocess.run([str(GETFILE), *words[:-1], str(folder), words[-1]], capture_output=True, text=True, timeout=200,
                          env={**clean, "HOME": str(folder), **(env or {})}, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert SECRET not in done.stdout + done.stderr
    return json.loads(done.stdout)


def fetched(folder, server, *options, env=None, data=DATA):
    digest = hashlib.sha256(data).hexdigest()
    answer = get(folder, "--sha256", digest, *options, server.site + PATH, env=env)
    assert answer.get("files") == [{"sha256": digest, "size": len(data)}], answer
    assert (folder / "1").read_bytes() == data
    return answer


def failure(folder, *words, env=None):
    answer = get(folder, *words, env=env)
    assert "failure" in answer, answer
    return answer["failure"]


# --- broken transfers ---

def test_whole_file(server, tmp_path):
    fetched(tmp_path, server)
    assert "Range" not in server.ours(PATH)[0] and "Authorization" not in server.ours(PATH)[0]


def test_goes_on_where_it_broke_off(server, tmp_path):
    def behave(reply):
        if reply.count == 1:
            reply.cut(1_000_000, ETag='"one"')
        elif reply.count == 2:
            assert reply.headers["If-Range"] == '"one"'
            reply.head(206, len(DATA) - reply.start(), ETag='"one"',
                       Content_Range=f"bytes {reply.start()}-{len(DATA) - 1}/{len(DATA)}")
            reply.body(DATA[reply.start():reply.start() + 500_000])
            reply.hang_up()
        else:
            reply.rest(ETag='"one"')

    server.behaviours[PATH] = behave
    fetched(tmp_path, server)
    ranges = [headers.get("Range") for headers in server.ours(PATH)]
    assert ranges == [None, "bytes=1000000-", "bytes=1500000-"]


def test_file_that_changed_meanwhile_is_begun_anew(server, tmp_path):
    """If-Range does not hold: the server sends all of the new one."""
    server.behaviours[PATH] = lambda reply: reply.cut(700_000, ETag='"old"') if reply.count == 1 else reply.whole(ETag='"new"')
    fetched(tmp_path, server)
    assert server.ours(PATH)[1]["If-Range"] == '"old"'


def test_server_without_ranges(server, tmp_path):
    server.behaviours[PATH] = lambda reply: reply.cut(900_000) if reply.count < 3 else reply.whole()
    fetched(tmp_path, server)
    assert len(server.ours(PATH)) == 3


def test_wrong_rest_is_fetched_once_more_as_a_whole(server, tmp_path):
    other = DATA[:-1] + b"x"

    def behave(reply):
        if reply.count == 1:
            reply.cut(600_000, ETag='"a"')
        elif reply.start() is not None:
            reply.rest(other)
        else:
            reply.whole()

    server.behaviours[PATH] = behave
    fetched(tmp_path, server)
    assert [headers.get("Range") for headers in server.ours(PATH)] == [None, "bytes=600000-", None]


def test_wrong_bytes_twice_are_the_end(server, tmp_path):
    other = DATA[:-1] + b"x"
    server.behaviours[PATH] = (lambda reply: reply.cut(600_000, ETag='"a"') if reply.count == 1 else
                               reply.rest(other) if reply.start() is not None else reply.whole(other))
    said = failure(tmp_path, "--sha256", hashlib.sha256(DATA).hexdigest(), server.site + PATH)
    assert said["code"] == "hash-mismatch" and said["line"] == 7
    assert len(server.ours(PATH)) == 3


def test_other_bytes_are_not_tried_again(server, tmp_path):
    said = failure(tmp_path, "--sha256", "0" * 64, server.site + PATH)
    assert said["code"] == "hash-mismatch" and len(server.ours(PATH)) == 1


@pytest.mark.parametrize("answer", ["bytes 5-9/10", ""])
def test_range_that_was_not_asked_for(server, tmp_path, answer):
    def behave(reply):
        if reply.count == 1:
            reply.cut(500_000)
        elif reply.start() is not None:
            reply.head(206, 10, Content_Range=answer)
            reply.body(b"0123456789")
        else:
            reply.whole()

    server.behaviours[PATH] = behave
    fetched(tmp_path, server)


def test_range_that_can_not_be_had(server, tmp_path):
    def behave(reply):
        if reply.count == 1:
            reply.cut(500_000)
        elif reply.start() is not None:
            reply.head(416, 0)
        else:
            reply.whole()

    server.behaviours[PATH] = behave
    fetched(tmp_path, server)


def test_server_that_is_busy_for_a_while(server, tmp_path):
    server.behaviours[PATH] = lambda reply: reply.head(503, 0, Retry_After="1") if reply.count == 1 else reply.whole()
    begun = time.monotonic()
    fetched(tmp_path, server)
    assert time.monotonic() - begun >= 1


def test_attempts_end(server, tmp_path):
    server.behaviours[PATH] = lambda reply: reply.head(502, 0)
    said = failure(tmp_path, server.site + PATH)
    assert said["code"] == "index-unreachable" and said["retry_after"] > 0
    assert 3 <= len(server.ours(PATH)) <= 6


def test_what_is_not_there_is_asked_for_once(server, tmp_path):
    assert failure(tmp_path, server.site + "/files/none")["code"] == "index-unreachable"
    assert len(server.ours("/files/none")) == 1


def test_slow_server_meets_the_deadline(server, tmp_path):
    gone = threading.Event()

    def behave(reply):
        reply.head(200, len(DATA))
        while not gone.wait(0.05):
            reply.body(b"0" * 1000)

    server.behaviours[PATH] = behave
    begun = time.monotonic()
    said = failure(tmp_path, "--deadline-ms", "700", server.site + PATH)
    gone.set()
    assert said["code"] == "build-timeout" and time.monotonic() - begun < 60  # of the hundred seconds that all of it would take


def test_sizes_are_caps(server, tmp_path):
    assert failure(tmp_path, "--size", "1000", server.site + PATH)["code"] == "hash-mismatch"
    assert failure(tmp_path, "--max", "100000", server.site + PATH)["code"] == "environment-too-large"
    server.behaviours[PATH] = lambda reply: (reply.head(200, 3 << 30), reply.body(b"x"))
    said = failure(tmp_path, server.site + PATH)
    assert said["code"] == "environment-too-large" and "2048 MiB" in said["message"]


def test_largest_file_is_told(server, tmp_path):
    def behave(reply):
        reply.head(200, len(DATA))
        reply.body(DATA[:1_500_000])
        time.sleep(1.5)
        reply.body(DATA[1_500_000:])

    server.behaviours[PATH] = behave
    answer = fetched(tmp_path, server)
    assert answer["reports"] >= 3 and answer["largest"] >= 1_000_000


# --- what may be reached ---

def test_users_address_must_be_public(server, tmp_path):
    said = failure(tmp_path, "--user", server.site + PATH)
    assert said["code"] == "address-refused" and "loopback" in said["message"]
    assert "127.0.0.1" not in said["message"] and server.seen == []


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",
                                  "[64:ff9b::7f00:1]", "10.255.255.254", "169.254.169.254"])
def test_other_spellings_of_private_addresses(server, tmp_path, host):
    said = failure(tmp_path, "--user", f"http://{host}:{server.port}{PATH}")
    assert said["code"] == "address-refused", said
    assert server.seen == []


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "//127.0.0.1/x", "http://", "x",
                                     "http://[fe80::1%25lo]/", "gopher://127.0.0.1/"])
def test_other_schemes(tmp_path, address):
    assert failure(tmp_path, "--user", address)["code"] == "address-refused"


def test_listed_origin_is_reached(server, tmp_path):
    fetched(tmp_path, server, "--user", env={"CUVETTE_TRUSTED_ORIGINS": server.site})


def test_listed_is_not_the_configured_index(server, tmp_path):
    """Users may not use the operator's index as a way into the operator's network."""
    said = failure(tmp_path, "--user", server.site + PATH, env={"UV_DEFAULT_INDEX": server.index})
    assert said["code"] == "address-refused"


def test_redirect_to_a_private_address_is_refused(server, tmp_path):
    with Server() as other:
        other.files[PATH] = DATA
        server.behaviours[PATH] = lambda reply: reply.redirect(other.site + PATH)
        said = failure(tmp_path, server.site + PATH)
        assert said["code"] == "address-refused" and "redirects to a loopback address" in said["message"]
        assert other.seen == []
        said = failure(tmp_path, "--user", server.site + PATH, env={"CUVETTE_TRUSTED_ORIGINS": server.site})
        assert said["code"] == "address-refused" and other.seen == []
        fetched(tmp_path, server, env={"UV_EXTRA_INDEX_URL": other.index})
        fetched(tmp_path, server, "--user", env={"CUVETTE_TRUSTED_ORIGINS": f"{server.site}, {other.site}"})


def test_redirects_are_counted(server, tmp_path):
    server.behaviours[PATH] = lambda reply: reply.redirect(PATH)
    assert failure(tmp_path, server.site + PATH)["code"] == "index-unreachable"
    assert len(server.ours(PATH)) == 6


def test_redirect_on_the_way_back_keeps_what_is_there(server, tmp_path):
    server.files["/other"] = DATA
    server.behaviours["/other"] = lambda reply: reply.cut(800_000, ETag='"x"') if reply.count == 1 else reply.rest()
    server.behaviours[PATH] = lambda reply: reply.redirect("/other")
    fetched(tmp_path, server)
    assert [headers.get("Range") for headers in server.ours("/other")] == [None, "bytes=800000-"]


# --- proxies ---

def test_proxy_is_used_and_spared(server, tmp_path):
    with Server() as proxy:
        proxy.behaviours[f"{server.site}{PATH}"] = lambda reply: reply.whole(DATA)
        fetched(tmp_path, server, env={"http_proxy": proxy.site})
        assert len(proxy.seen) == 1 and server.seen == []
        fetched(tmp_path, server, env={"http_proxy": proxy.site, "no_proxy": "example.org,127.0.0.0/8"})
        assert len(proxy.seen) == 1 and len(server.seen) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "x.localhost", "169.254.169.254"])
def test_proxy_is_no_way_around_for_users(server, tmp_path, host):
    with Server() as proxy:
        said = failure(tmp_path, "--user", f"http://{host}{PATH}", env={"http_proxy": proxy.site})
        assert said["code"] == "address-refused", said
        said = failure(tmp_path, "--user", "http://no-such-host.invalid/x", env={"http_proxy": proxy.site})
        assert said["code"] == "url-unavailable" and "looked up" in said["message"]
        assert proxy.seen == []


# --- credentials ---

def authorizations(server):
    return [headers.get("Authorization") for headers in server.ours(PATH)]


@pytest.mark.parametrize("env", [
    {"UV_DEFAULT_INDEX": "http://who:SECRET@SITE/simple"},
    {"UV_INDEX": "private=http://SITE/simple", "UV_INDEX_PRIVATE_USERNAME": "who", "UV_INDEX_PRIVATE_PASSWORD": "SECRET"},
    {"UV_INDEX": "http://example.invalid/simple in-house=http://old:old@SITE/simple", "UV_INDEX_IN_HOUSE_USERNAME": "who",
     "UV_INDEX_IN_HOUSE_PASSWORD": "SECRET"},
    {"UV_CONFIG_FILE": "[[index]]\nname = \"corp\"\nurl = \"http://who:SECRET@SITE/simple\"\n"},
    {"UV_CONFIG_FILE": "[pip]\nextra-index-url = [\"http://who:SECRET@SITE/simple\"]\n"},
    {"NETRC": "machine 127.0.0.1 login who password SECRET\n", "UV_DEFAULT_INDEX": "http://SITE/simple"},
], ids=["address", "named", "named-first", "config", "config-pip", "netrc"])
def test_credentials_go_to_the_index(server, tmp_path, env):
    filled = {}
    for name, value in env.items():
        value = value.replace("SECRET", SECRET).replace("SITE", server.site.removeprefix("http://"))
        if name in ("UV_CONFIG_FILE", "NETRC"):
            file = tmp_path / name
            file.write_text(value)
            value = str(file)
        filled[name] = value
    server.auth = basic("who", SECRET)
    fetched(tmp_path, server, env=filled)


def test_credentials_stay_with_their_site(server, tmp_path):
    with Server() as other:
        other.files[PATH] = DATA
        env = {"UV_DEFAULT_INDEX": f"http://who:{SECRET}@{server.site[7:]}/simple", "UV_EXTRA_INDEX_URL": other.index}
        server.behaviours[PATH] = lambda reply: reply.redirect(other.site + PATH)
        fetched(tmp_path, server, env=env)
        assert authorizations(server) == [basic("who", SECRET)] and authorizations(other) == [None]


def test_netrc_is_for_the_operators_sites_only(server, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login who password {SECRET}\n")
    fetched(tmp_path, server, env={"NETRC": str(netrc)})
    fetched(tmp_path, server, "--user", env={"NETRC": str(netrc), "CUVETTE_TRUSTED_ORIGINS": server.site})
    assert authorizations(server) == [None, None]


def test_users_address_gets_no_credentials(server, tmp_path):
    env = {"UV_DEFAULT_INDEX": f"http://who:{SECRET}@{server.site[7:]}/simple", "CUVETTE_TRUSTED_ORIGINS": server.site}
    fetched(tmp_path, server, "--user", env=env)
    assert authorizations(server) == [None]


def test_credentials_in_an_address_are_not_used(server, tmp_path):
    said = failure(tmp_path, "--user", f"http://who:{SECRET}@{server.site[7:]}{PATH}",
                   env={"CUVETTE_TRUSTED_ORIGINS": server.site})
    assert said["code"] == "address-refused" and "credentials" in said["message"]
    server.behaviours[PATH] = lambda reply: reply.redirect(f"http://who:{SECRET}@{server.site[7:]}/other")
    server.files["/other"] = DATA
    fetched(tmp_path, server)
    assert "Authorization" not in server.ours("/other")[0]
