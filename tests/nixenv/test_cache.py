# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""Which environments stay: budgets, leases, pins, the ledger."""
import contextlib
import fcntl
import json
import os
import sqlite3
import subprocess
import time

from helpers import ANSWER_S, BUILDER, ENVASK, ask, command, environment, environment_of, ids, physical, wait_for

PACKAGES = {"idna": "idna==3.7\n", "six": "six==1.16.0\n", "toml": "toml==0.10.2\n"}


def chore(state, verb, *options, status=0):
    """The answer of one chore, by a builder of its own."""
    digests = [word for option in options if not option.startswith("--") and len(option) == 32
               for word in ("--env", option)]
    rest = [option for option in options if len(option) != 32]
    done = subprocess.run([str(ENVASK), "--builder", str(BUILDER), "--state", str(state), *ids(state), "--chore", verb,
                           *digests, *rest], capture_output=True, text=True, timeout=ANSWER_S, check=False,
                          stdin=subprocess.DEVNULL, env=environment())
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def made(state, *names):
    """Their digests, each asked for once in this order, a second apart in the ledger."""
    found = []
    for name in names:
        found.append(environment_of(state, PACKAGES[name])["digest"])
    return found


def digests(state):
    """Those of the ledger, the latest used first."""
    return [e["digest"] for e in chore(state, "list")["environments"]]


def set_used(state, **when):
    """Times of use as a test wants them: name of the environment's link → seconds."""
    with contextlib.closing(sqlite3.connect(state / "nix/cuvette.db")) as db, db:
        for digest, seconds in when.items():
            db.execute("UPDATE env SET used_s = ? WHERE name = ?", (seconds, f"{digest}-cuvette-environment"))


@contextlib.contextmanager
def holding(state, requirements, *options):
    """A builder that has been asked for this, and lives."""
    argv = command(state, requirements, "--hold", "--quiet", *options)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True,
                          env=environment()) as process:
        try:
            answer = json.loads(process.stdout.readline())
            assert "failure" not in answer, answer
            yield answer
        finally:
            process.stdin.close()
            process.wait(120)
            process.stdout.close()
            process.stderr.close()


def link(state, digest):
    return state / f"nix/nix/var/nix/gcroots/cuvette/env/{digest}-cuvette-environment"


def is_known(state, digest):
    return os.path.lexists(link(state, digest))


def test_the_ledger_says_what_there_is(state):
    idna, six = made(state, "idna", "six")
    answer = chore(state, "list")
    by_digest = {e["digest"]: e for e in answer["environments"]}
    assert set(by_digest) == {idna, six} and answer["count"] == 2
    assert by_digest[idna]["packages"] == 1 and by_digest[idna]["bytes"] > 100_000
    assert by_digest[idna]["own_bytes"] <= by_digest[idna]["bytes"]
    assert answer["bytes"] == sum(e["own_bytes"] for e in answer["environments"])
    before = by_digest[idna]["uses"]
    ask(state, PACKAGES["idna"], "--repeat", "5")
    assert {e["digest"]: e for e in chore(state, "list")["environments"]}[idna]["uses"] == before + 5


def test_one_that_is_lost_or_damaged_is_made_again(state):
    known = set(made(state, "idna", "six"))
    for damage in (b"this is no database at all, but long enough to be read as one" * 100, b"", None):
        for file in (state / "nix").glob("cuvette.db*"):
            file.unlink()
        if damage is not None:
            (state / "nix/cuvette.db").write_bytes(damage)
            os.chown(state / "nix/cuvette.db", os.stat(state / "nix").st_uid, -1)
        assert set(digests(state)) == known
        assert environment_of(state, PACKAGES["six"])["cached"]


def test_one_of_a_later_version_is_made_again(state):
    known = set(made(state, "idna"))
    digests(state)
    with contextlib.closing(sqlite3.connect(state / "nix/cuvette.db")) as db, db:
        db.execute("PRAGMA user_version = 4000")
    assert known <= set(digests(state))


def test_the_longest_unused_goes_first(state):
    idna, six, toml = made(state, "idna", "six", "toml")
    assert set(digests(state)) == {idna, six, toml}
    set_used(state, **{idna: 3000, six: 1000, toml: 2000})
    answer = chore(state, "gc", "--count", "2")
    assert answer["evicted"] == 1 and answer["count"] == 2
    assert digests(state) == [idna, toml]
    assert not physical(state, f"{six}-cuvette-environment").exists()


def test_nothing_is_left_of_what_went(state):
    [six] = made(state, "six")
    answer = environment_of(state, PACKAGES["six"])
    chore(state, "gc", "--count", "0")
    assert not is_known(state, six)
    for name in answer["closure"]:
        assert not physical(state, name).exists()
    for folder in ("leases", "known", "locks", "nix/var/nix/gcroots/cuvette/req", "nix/var/nix/gcroots/cuvette/env"):
        assert os.listdir(state / "nix" / folder) == [], folder
    again = environment_of(state, PACKAGES["six"])
    assert again["digest"] == six and not again["cached"]
    assert chore(state, "list")["count"] == 1


def test_bytes_are_a_budget_too(state):
    idna, six, toml = made(state, "idna", "six", "toml")
    chore(state, "gc")
    listed = chore(state, "list")
    set_used(state, **{idna: 3000, six: 1000, toml: 2000})
    answer = chore(state, "gc", "--bytes", str(listed["store_bytes"] - 1))
    assert answer["evicted"] >= 1 and answer["store_bytes"] < listed["store_bytes"]
    assert not is_known(state, six) and is_known(state, idna)


def test_the_builder_keeps_to_its_budget_by_itself(state):
    chore(state, "gc", "--count", "0")
    idna, six = made(state, "idna", "six")
    digests(state)
    set_used(state, **{idna: 1000, six: 2000})
    with holding(state, PACKAGES["toml"], "--env-count", "2") as answer:
        wait_for(lambda: not is_known(state, idna), 20, "the oldest went")
        assert is_known(state, six) and is_known(state, answer["digest"])


def test_the_builder_collects_though_damage_stays(state):
    chore(state, "gc", "--count", "0")
    idna, six = made(state, "idna", "six")
    digests(state)
    set_used(state, **{idna: 1000, six: 2000})
    # Its lease can't be had: no healing ends well.
    note, lease = (state / "nix" / folder / f"{six}-cuvette-environment" for folder in ("damaged", "leases"))
    lease.unlink()
    lease.mkdir()
    note.touch()
    try:
        with holding(state, PACKAGES["toml"], "--env-count", "2"):
            wait_for(lambda: not is_known(state, idna), 20, "the oldest went")
    finally:
        note.unlink()
        lease.rmdir()


def test_uses_wait_for_a_ledger_that_is_written(state):
    """The notes of a builder that finds it locked are not lost, and nobody waits for them."""
    made(state, "idna")
    uses = chore(state, "list")["environments"][0]["uses"]
    with contextlib.closing(sqlite3.connect(state / "nix/cuvette.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        # Longer than the time after which a builder writes its notes.
        with holding(state, PACKAGES["idna"], "--keep"):
            time.sleep(11)
            db.execute("COMMIT")
        [found] = chore(state, "list")["environments"][:1]
        assert found["uses"] > uses


def test_a_pin_keeps_it(state):
    idna, six = made(state, "idna", "six")
    assert chore(state, "pin", idna) == {"pinned": 1}
    answer = chore(state, "gc", "--count", "0")
    assert answer["pinned"] >= 1 and digests(state) == [idna]
    assert chore(state, "list")["environments"][0]["pinned"]
    assert chore(state, "unpin", idna) == {"unpinned": 1}
    chore(state, "gc", "--count", "0")
    assert digests(state) == [] and not is_known(state, six)
    assert chore(state, "pin", idna, status=1)["failure"]["code"] == "environment-unknown"


def test_a_session_keeps_it(state):
    made(state, "six")
    with holding(state, PACKAGES["idna"], "--keep") as answer:
        done = chore(state, "gc", "--count", "0")
        assert done["in_use"] == 1 and digests(state) == [answer["digest"]]
        for name in answer["closure"]:
            assert physical(state, name).is_dir()
    assert chore(state, "gc", "--count", "0")["evicted"] == 1


def test_any_lease_keeps_it_and_is_asked_for(state):
    [idna] = made(state, "idna")
    for _ in range(10):  # three seconds are given for it, in which a machine may stand still
        if let_go(state, idna)["evicted"] == 1:
            break
    assert not is_known(state, idna)


def let_go(state, digest):
    """As a zygote's launcher does: whoever is asked lets go."""
    with open(state / f"nix/leases/{digest}-cuvette-environment", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with subprocess.Popen([str(ENVASK), "--builder", str(BUILDER), "--state", str(state), *ids(state), "--chore",
                               "gc", "--count", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as collector:
            wait_for(lambda: os.fstat(file.fileno()).st_size > 0 or collector.poll() is not None, 60, "the word that it is wanted")
            assert is_known(state, digest)
            fcntl.flock(file, fcntl.LOCK_UN)
            return json.loads(collector.communicate(timeout=ANSWER_S)[0])


def test_a_word_that_came_to_nothing_is_taken_back(state):
    [idna] = made(state, "idna")
    with open(state / f"nix/leases/{idna}-cuvette-environment", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert chore(state, "gc", "--count", "0")["in_use"] == 1
        assert os.fstat(file.fileno()).st_size == 0
    assert environment_of(state, PACKAGES["idna"])["cached"]


def test_an_older_store_without_leases_and_ledger(state):
    [idna] = made(state, "idna")
    for file in [*(state / "nix").glob("cuvette.db*"), *(state / "nix/leases").iterdir()]:
        file.unlink()
    assert environment_of(state, PACKAGES["idna"])["cached"] and digests(state) == [idna]


def test_collecting_while_others_build(state):
    """What is being made is never collected, whoever collects."""
    chore(state, "gc", "--count", "0")
    builders = [subprocess.Popen(command(state, text, "--quiet"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 env=environment(), text=True) for text in PACKAGES.values()]
    while any(builder.poll() is None for builder in builders):
        chore(state, "gc")
    for builder in builders:
        answer = json.loads(builder.communicate()[0])
        assert "failure" not in answer, answer
        assert all(physical(state, name).is_dir() for name in answer["closure"])


def test_whoever_waits_to_collect_lets_no_maker_between(state):
    [idna] = made(state, "idna")
    with open(state / "nix/gc.lock", "rb") as lock, open(state / "nix/gc.turn", "rb") as turn:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with subprocess.Popen([str(ENVASK), "--builder", str(BUILDER), "--state", str(state), *ids(state), "--chore",
                               "gc", "--count", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as collector:
            wait_for(lambda: not is_free(turn), 20, "the turnstile is taken")
            with subprocess.Popen(command(state, PACKAGES["six"], "--quiet"), stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, env=environment(), text=True) as maker:
                time.sleep(1)
                assert maker.poll() is None and collector.poll() is None
                fcntl.flock(lock, fcntl.LOCK_UN)
                done = json.loads(collector.communicate(timeout=ANSWER_S)[0])
                assert done["collected"] and not is_known(state, idna)
                assert "failure" not in json.loads(maker.communicate(timeout=ANSWER_S)[0])


def is_free(lock):
    """Whether a maker would get it now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(lock, fcntl.LOCK_UN)
    return True


def test_a_link_of_a_request_alone_keeps_nothing(state):
    """As one is left by a maker that found an environment while it went."""
    answer = environment_of(state, PACKAGES["idna"])
    link(state, answer["digest"]).unlink()
    env = f"{answer['digest']}-cuvette-environment"
    requests = [path for path in (state / "nix/nix/var/nix/gcroots/cuvette/req").iterdir()
                if os.readlink(path).endswith(env)]
    assert requests
    with open(state / f"nix/leases/{env}", "ab") as lease:
        fcntl.flock(lease, fcntl.LOCK_SH)
        chore(state, "gc")
        assert all(os.path.lexists(path) for path in requests) and physical(state, env).is_dir()
    chore(state, "gc")
    assert not any(os.path.lexists(path) for path in requests) and not physical(state, env).exists()


def test_chores_are_not_the_managers_to_ask_for(state):
    done = subprocess.run([str(ENVASK), "--builder", str(BUILDER), "--state", str(state), *ids(state), "--as-manager",
                           "--chore", "gc", "--count", "0"], capture_output=True, text=True, timeout=ANSWER_S, check=False)
    assert done.returncode == 3 and "closed the session" in done.stderr


# --- damage ---


def damage(state, name):
    """Another byte in one of its files, as a bad disk makes it."""
    file = sorted(path for path in physical(state, name).rglob("*.py") if path.stat().st_size > 20)[0]
    file.chmod(0o644)
    with open(file, "r+b") as f:
        f.seek(10)
        byte = f.read(1)
        f.seek(10)
        f.write(bytes([byte[0] ^ 1]))
    file.chmod(0o444)
    return file


def of_package(answer, word):
    [name] = [name for name in answer["closure"] if word in name]
    return name


def test_damage_is_found_and_what_has_it_is_built_again(state):
    idna = environment_of(state, PACKAGES["idna"])
    both = environment_of(state, PACKAGES["idna"] + PACKAGES["six"])
    chore(state, "pin", both["digest"])
    assert chore(state, "verify")["damaged"] == []
    file = damage(state, of_package(idna, "-idna-"))
    bad = file.read_bytes()
    found = chore(state, "verify", both["digest"])
    assert found["damaged"] == [of_package(idna, "-idna-")] and found["in_use"] == []
    assert {e["digest"] for e in found["again"]} == {idna["digest"], both["digest"]}
    assert not file.exists() and not is_known(state, idna["digest"]) and not is_known(state, both["digest"])
    again = environment_of(state, PACKAGES["idna"])
    assert again["closure"] == idna["closure"] and not again["cached"] and file.read_bytes() != bad
    assert environment_of(state, PACKAGES["idna"] + PACKAGES["six"])["digest"] == both["digest"]
    assert chore(state, "verify")["damaged"] == []
    chore(state, "unpin", both["digest"])


def test_no_run_begins_on_damage_that_is_in_use(state):
    with holding(state, PACKAGES["six"], "--keep") as answer:
        name = of_package(answer, "-six-")
        file = damage(state, name)
        found = chore(state, "verify")
        assert found["damaged"] == found["in_use"] == [name] and file.exists()
        failure = ask(state, PACKAGES["six"])[0]["failure"]
        assert failure["code"] == "unavailable" and failure["retry_after"] == 5
        assert "damaged" in failure["message"]
    chore(state, "verify")
    assert not file.exists()
    assert environment_of(state, PACKAGES["six"])["closure"] == answer["closure"]


def test_what_is_not_there_at_all_is_damaged_too(state):
    answer = environment_of(state, PACKAGES["six"])
    subprocess.run(["rm", "-rf", str(physical(state, of_package(answer, "-six-")))], check=True)
    found = chore(state, "verify", answer["digest"])
    assert found["damaged"] == [of_package(answer, "-six-")]
    assert environment_of(state, PACKAGES["six"])["closure"] == answer["closure"]
    assert chore(state, "verify", "0" * 32, status=1)["failure"]["code"] == "environment-unknown"
