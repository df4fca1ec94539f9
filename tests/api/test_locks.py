# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""A lock or a digest in place of requirements, and the lock that an answer holds."""

import os
import re
import subprocess
import tomllib

import client
import pytest
from client import DATE

MAIN = ("main.py", b"import idna\nprint(idna.__version__)\n")
SAME = ("digest", "lock_digest", "store_path", "packages", "python", "lock")
HASH = "ab" * 32
HEAD = 'lock-version = "1.0"\n'


def send(service, lock=None, name="pylock.toml", **fields):
    files = [("code", MAIN)]
    if lock is not None:
        files.append(("lock", (name, lock.encode() if isinstance(lock, str) else lock)))
    return service.post(files, data=fields, timeout=300)


def environment(response):
    assert response.status_code == 200, response.text
    return response.json()["environment"]


def error(response, status, code):
    assert response.status_code == status, response.text
    assert response.json()["error"]["code"] == code, response.text
    return response.json()["error"]


def wheel(file, digest=HASH, package="a", version="1.0", extra=""):
    return (f'[[packages]]\nname = "{package}"\nversion = "{version}"\n{extra}'
            f'wheels = [{{ url = "https://files.invalid/{file}", hashes = {{ sha256 = "{digest}" }} }}]\n')


@pytest.fixture(scope="module")
def known(service):
    return service.answer("import idna\n", "idna==3.6\n", exclude_newer=DATE)["environment"]


def test_an_answers_lock_gives_the_same_environment_again(service, known):
    lock = tomllib.loads(known["lock"])
    [package] = lock["packages"]
    assert (package["name"], package["version"]) == ("idna", "3.6")
    assert package["wheels"][0]["size"] > 0
    answer = environment(send(service, known["lock"]))
    assert {key: answer[key] for key in SAME} == {key: known[key] for key in SAME}
    assert answer["exclude_newer"] is None and known["exclude_newer"] == DATE
    # other words for the same lock
    again = service.answer("pass\n", "IDNA == 3.6.0 # x\n", exclude_newer=DATE)["environment"]
    assert again["lock"] == known["lock"]


def test_the_empty_environment_has_a_lock_too(service):
    first = service.answer("pass\n", "# none\n")["environment"]
    assert tomllib.loads(first["lock"])["packages"] == []
    files = [("code", ("main.py", b"print(1)\n")), ("lock", ("pylock.toml", first["lock"].encode()))]
    assert environment(service.post(files))["digest"] == first["digest"]


def test_a_digest_is_enough_where_it_is_known(service, known):
    answer = environment(send(service, env=known["digest"]))
    assert {key: answer[key] for key in SAME} == {key: known[key] for key in SAME}
    assert answer["cached"] is True
    said = error(send(service, env="0123456789abcdfghijklmnpqrsvwxyz"), 404, "environment-unknown")
    assert "lock" in said["message"]
    error(send(service, env="idna"), 422, "field-invalid")


def test_an_environment_is_named_in_one_way(service, known):
    error(send(service), 400, "requirements-missing")
    error(send(service, known["lock"], env=known["digest"]), 400, "field-conflict")
    both = [("code", MAIN), ("lock", ("pylock.toml", known["lock"].encode())), ("requirements", ("r.txt", b"idna"))]
    error(service.post(both), 400, "field-conflict")
    error(send(service, known["lock"], exclude_newer=DATE), 400, "field-conflict")
    error(send(service, known["lock"], name="uv.lock"), 400, "lock-name")
    error(send(service, ""), 400, "lock-empty")


def test_a_lock_for_many_platforms(service, known):
    """What is for others is left out, whatever it comes from; so are groups that nobody asked for."""
    others = (wheel("a-1.0-cp311-cp311-win_amd64.whl", extra='marker = "sys_platform == \'win32\'"\n')
              + '[[packages]]\nname = "b"\nversion = "1"\nmarker = "python_version < \'3.9\'"\n'
                'directory = { path = "." }\n'
              + wheel("c-1.0-py3-none-any.whl", package="c", extra='marker = "\'dev\' in dependency_groups"\n'))
    lock = known["lock"].replace("environments = [", "environments = [\"sys_platform == 'win32'\", ")
    answer = environment(send(service, lock.replace("created-by", 'dependency-groups = ["dev"]\ncreated-by') + others))
    assert answer["digest"] == known["digest"] and answer["lock"] == known["lock"]


def test_extras_and_groups_of_a_lock_are_chosen(service, known):
    other = service.answer("pass\n", "certifi==2024.7.4\n", exclude_newer=DATE)["environment"]
    both = service.answer("pass\n", "idna==3.6\ncertifi==2024.7.4\n", exclude_newer=DATE)["environment"]
    entry = other["lock"].partition("[[packages]]")[2]

    def lock(marker):
        return (known["lock"].replace("created-by", 'extras = ["tls"]\ndependency-groups = ["dev"]\ncreated-by')
                + "\n[[packages]]" + entry.replace("wheels =", f'marker = "{marker}"\nwheels ='))

    for marker, field, name in (("'tls' in extras", "lock_extras", "TLS"),
                                ("'dev' in dependency_groups", "lock_groups", "dev")):
        assert environment(send(service, lock(marker)))["digest"] == known["digest"]
        assert environment(send(service, lock(marker), **{field: name}))["digest"] == both["digest"]
        said = error(send(service, lock(marker), **{field: f"{name}, more"}), 422, "field-invalid")
        assert "`more`" in said["message"] and f"there are {name.lower()}" in said["message"]
        error(send(service, lock(marker), **{field: "a b!"}), 422, "field-invalid")
        error(send(service, env=known["digest"], **{field: name}), 400, "field-conflict")


def test_a_lock_that_uv_made(service, tmp_path):
    """As its users would make it: for all platforms, from its index and with its words."""
    (tmp_path / "requirements.txt").write_text("idna==3.6\nclick==8.1.7\n")
    done = subprocess.run([client.tool("uv"), "pip", "compile", "--universal", "--format", "pylock.toml", "--python-version",
                           "3.11", "--no-python-downloads", "--exclude-newer", DATE, "-o", "pylock.toml",
                           "requirements.txt"], cwd=tmp_path, check=True, capture_output=True, timeout=200,
                          env={**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache")})
    assert done.returncode == 0
    text = (tmp_path / "pylock.toml").read_text()
    assert "colorama" in text  # what click needs on another platform
    got = environment(send(service, text))
    assert [(p["name"], p["version"]) for p in got["packages"]] == [("click", "8.1.7"), ("idna", "3.6")]
    wanted = service.answer("pass\n", "idna==3.6\nclick==8.1.7\n", exclude_newer=DATE)["environment"]
    assert got["digest"] == wanted["digest"]


@pytest.mark.parametrize("lock, code, place", [
    ("idna==3.6\n", "lock-invalid", (1, 6)),
    (b"\xff\xfe", "lock-invalid", (1, 1)),
    ('version = 1\n[[package]]\nname = "a"\n', "lock-unsupported", (2, 1)),
    ('lock-version = "2.0"\n', "lock-unsupported", (1, 16)),
    (HEAD + 'requires-python = ">=3.99"\n', "lock-mismatch", (2, 19)),
    (HEAD + "environments = [\"sys_platform == 'darwin'\"]\n", "lock-mismatch", (2, 16)),
    (HEAD + '[[packages]]\nname = "a"\nmarker = "spam == 1"\n', "lock-invalid", (4, 10)),
    (HEAD + '[[packages]]\nname = "a"\ndirectory = { path = "." }\n', "lock-unsupported", (4, 13)),
    (HEAD + '[[packages]]\nname = "a"\nversion = "1"\nvcs = { type = "hg", url = "https://h.invalid/a", '
            'commit-id = "1" }\n', "lock-unsupported", None),
    (HEAD + '[[packages]]\nname = "a"\nwheels = [{ path = "/etc/a-1-py3-none-any.whl", hashes = { sha256 = "'
     + HASH + '" } }]\n', "lock-unsupported", (4, 20)),
    (HEAD + '[[packages]]\nname = "a"\nwheels = [{ url = "file:///etc/a-1-py3-none-any.whl", hashes = { sha256 = "'
     + HASH + '" } }]\n', "lock-unsupported", (4, 19)),
    (HEAD + wheel("a-1.0-py3-none-any.whl").replace("sha256", "md5"), "lock-unsupported", (5, 76)),
    (HEAD + wheel("a-1.0-cp310-cp310-linux_x86_64.whl"), "wheel-unavailable", (2, 1)),
    (HEAD + wheel("a-1.0-py3-none-any.whl") * 2, "lock-invalid", (7, 8)),
])
def test_what_is_refused_has_a_code_and_a_place(service, lock, code, place):
    details = error(send(service, lock), 422, code)["details"]
    assert place is None or (details.get("line"), details.get("column")) == place, details


def test_a_lock_cannot_be_too_large(service):
    error(send(service, HEAD + "#" * (4 << 20)), 413, "too-large")


def test_a_lock_made_elsewhere_is_served_from_the_index(known):
    """Its addresses lead nowhere: the index has the file with that hash."""
    foreign = re.sub(r'url = "https?://[^"]*/', 'url = "https://mirror.invalid/x/', known["lock"])
    with client.fresh_state() as state, client.Service(state) as other:
        answer = environment(send(other, foreign))
        assert answer["digest"] == known["digest"] and answer["cached"] is False
        # what the index says stands in the lock now
        assert "mirror.invalid" not in answer["lock"]
        error(send(other, env="0" * 32), 404, "environment-unknown")
        # the right file by another hash: neither index nor address has it
        wrong = re.sub(r'sha256 = "....', 'sha256 = "0000', known["lock"])
        without = re.sub(r'url = "[^"]*", ', "", wrong)
        error(send(other, without), 422, "hash-mismatch")
        # an address that is a user's must be public, whatever it leads to
        inside = re.sub(r'url = "[^"]*/', f'url = "http://127.0.0.1:{other.port}/', wrong)
        error(send(other, inside), 422, "address-refused")
