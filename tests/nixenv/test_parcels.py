# SPDX-License-Identifier: MIT
# tests/run: seconds=400
"""Environments as files: what was exported from one state is the same in another without a network."""
import hashlib
import io
import json
import os
import subprocess
import tarfile

import pytest

from helpers import ANSWER_S, BUILDER, ENVASK, clean_state, environment, environment_of, ids, nix, physical

# Neither an index nor any other host is there.
OFFLINE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_INDEX_URL": "http://127.0.0.1:9/simple",
           **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"),
           "no_proxy": "", "NO_PROXY": ""}
TEXT = "idna==3.7\nsix==1.16.0\n"
MIB = 1 << 20


@pytest.fixture(scope="module", name="made")
def made_and_exported(tmp_path_factory):
    """A parcel, what its environment is, and the state it came from."""
    with clean_state() as state:
        answer = environment_of(state, TEXT)
        file = tmp_path_factory.mktemp("parcel") / "made.tar.zst"
        chore(state, "export", file, answer["digest"])
        yield file, answer, state


@pytest.fixture(scope="module", name="fresh")
def another_state():
    with clean_state() as state:
        yield state


def chore(state, verb, file, *digests, status=0):
    options = [word for digest in digests for word in ("--env", digest)]
    done = subprocess.run([str(ENVASK), "--builder", str(BUILDER), "--state", str(state), *ids(state), "--quiet",
                           "--io", str(file), "--chore", verb, *options], capture_output=True, text=True,
                          timeout=ANSWER_S, check=False, stdin=subprocess.DEVNULL, env=environment(OFFLINE))
    assert done.returncode == status, done.stderr
    answer = json.loads(done.stdout)
    return answer["failure"] if status else answer


def unpacked(file):
    """Name and bytes of each file."""
    plain = subprocess.run(["zstd", "-dcq", str(file)], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]


def packed(path, entries):
    """A parcel of these names and bytes, or of TarInfos."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isreg():
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return compressed(path, out.getvalue())


def compressed(path, data):
    path.write_bytes(subprocess.run(["zstd", "-cq"], input=data, stdout=subprocess.PIPE, check=True).stdout)
    return path


def refused(state, file):
    before = sorted(os.listdir(state / "nix/nix/store"))
    failure = chore(state, "import", file, status=1)
    assert sorted(os.listdir(state / "nix/nix/store")) == before, "nothing of it is in the store"
    return failure["code"], failure["message"]


# --- what is refused: before anything is imported into the fresh state ---


def test_a_wheel_with_other_bytes_is_refused(made, fresh, tmp_path):
    entries = unpacked(made[0])
    name, data = entries[1]
    entries[1] = (name, data[:100] + bytes([data[100] ^ 1]) + data[101:])
    code, message = refused(fresh, packed(tmp_path / "b", entries))
    assert code == "hash-mismatch" and "file 1" in message


def test_a_wheel_that_is_not_there_is_missed(made, fresh, tmp_path):
    code, message = refused(fresh, packed(tmp_path / "b", unpacked(made[0])[:-1]))
    assert code == "hash-mismatch" and "six 1.16.0" in message


def test_a_file_for_nothing_is_refused(made, fresh, tmp_path):
    entries = unpacked(made[0])
    for more in (("wheels/more", b"more"), entries[1]):
        assert refused(fresh, packed(tmp_path / "b", [*entries, more]))[0] == "hash-mismatch"


def test_another_digest_than_its_lock_comes_to_is_refused(made, fresh, tmp_path):
    (name, text), *wheels = unpacked(made[0])
    other = json.dumps({**json.loads(text), "digest": "0" * 32}).encode()
    code, message = refused(fresh, packed(tmp_path / "b", [(name, other), *wheels]))
    assert code == "lock-mismatch" and made[1]["digest"] in message


def test_a_changed_lock_is_refused(made, fresh, tmp_path):
    (name, text), *wheels = unpacked(made[0])
    said = json.loads(text)
    evil = wheels[0][1] + b"more"
    said["lock"]["packages"][0]["sha256"] = hashlib.sha256(evil).hexdigest()
    entries = [(name, json.dumps(said).encode()), (wheels[0][0], evil), *wheels[1:]]
    assert refused(fresh, packed(tmp_path / "b", entries))[0] == "lock-mismatch"


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"{" * 100_000, b'{"digest":"x","format":1,"lock":{}}',
                                  b'{"digest":"' + b"0" * 32 + b'","format":2,"lock":{}}', b"\0" * 1000])
def test_a_description_that_is_none(made, fresh, tmp_path, text):
    assert refused(fresh, packed(tmp_path / "b", [("cuvette-environment.json", text), *unpacked(made[0])[1:]])
                   )[0] == "lock-invalid"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_nothing_but_plain_files(made, fresh, tmp_path, kind):
    info = tarfile.TarInfo("wheels/link")
    info.type, info.linkname = kind, "/etc/passwd"
    code, message = refused(fresh, packed(tmp_path / "b", [*unpacked(made[0]), (info, b"")]))
    assert code == "lock-invalid" and "plain files" in message


def test_no_archive_cut_archive_too_much(made, fresh, tmp_path):
    whole = made[0].read_bytes()
    for data in (b"", b"PK\3\4 this is none", whole[: len(whole) // 2], os.urandom(5000)):
        (tmp_path / "b").write_bytes(data)
        assert refused(fresh, tmp_path / "b")[0] == "lock-invalid"
    description = unpacked(made[0])[0]
    many = packed(tmp_path / "b", [description, *((str(i), b"") for i in range(600))])
    assert refused(fresh, many)[0] == "environment-too-large"
    assert refused(fresh, packed(tmp_path / "b", [("a", b" " * (3 * MIB))]))[0] == "environment-too-large"
    # What is said is enough: it is not read.
    info = tarfile.TarInfo("wheels/large")
    info.size = 3 << 30
    assert refused(fresh, compressed(tmp_path / "b", _plain([description]) + info.tobuf(tarfile.PAX_FORMAT) + b"\0" * MIB)
                   )[0] == "environment-too-large"


def _plain(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        return out.getvalue()[: tar.offset]


# --- what is taken ---


def test_the_same_bytes_each_time_and_no_address_of_an_index(made, tmp_path):
    chore(made[2], "export", tmp_path / "again", made[1]["digest"])
    assert unpacked(tmp_path / "again") == unpacked(made[0])
    names = [name for name, _ in unpacked(made[0])]
    assert names == ["cuvette-environment.json", "wheels/idna-3.7-py3-none-any.whl",
                     "wheels/six-1.16.0-py2.py3-none-any.whl"]
    assert b"://" not in unpacked(made[0])[0][1]


def test_unknown_ones_are_not_exported(made, tmp_path):
    assert chore(made[2], "export", tmp_path / "none", "0" * 32, status=1)["code"] == "environment-unknown"


def test_the_same_environment_without_a_network(made, fresh, tmp_path):
    """Whatever the names and the order of the files are."""
    file, answer, _ = made
    description, *wheels = unpacked(file)
    named = [("../../../etc/passwd" if i else "/etc/shadow", data) for i, (_, data) in enumerate(reversed(wheels))]
    done = chore(fresh, "import", packed(tmp_path / "b", [("anything", description[1]), *named]))
    assert done["digest"] == answer["digest"] and done["packages"] == ["idna 3.7", "six 1.16.0"]
    for name in answer["closure"]:
        assert physical(fresh, name).is_dir()
    there = [nix(state, "nix-store", "--query", "--hash", f"/nix/store/{answer['env']}") for state in (made[2], fresh)]
    assert there[0] == there[1]
    assert chore(fresh, "import", file)["digest"] == answer["digest"], "a second time it is known"


def test_wheels_that_were_collected_are_fetched_again(made, tmp_path):
    file, answer, state = made
    nix(state, "nix-store", "--gc")
    assert not list((state / "nix/nix/store").glob("*.whl"))
    failure = chore(state, "export", tmp_path / "b", answer["digest"], status=1)
    assert failure["code"] == "index-unreachable"
    options = ["--chore", "export", "--env", answer["digest"], "--io", str(tmp_path / "b")]
    done = subprocess.run([str(ENVASK), "--builder", str(BUILDER), "--state", str(state), *ids(state), *options],
                          capture_output=True, text=True, timeout=ANSWER_S, check=False, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert unpacked(tmp_path / "b") == unpacked(file)
