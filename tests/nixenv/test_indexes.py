# SPDX-License-Identifier: MIT
# tests/run: seconds=300
"""Indexes that requirements name: those on the operator's list, in the operator's spelling."""
import os

import pytest
from helpers import ask
from served import Server, basic, wheel

SECRET = "s3cret-of-the-operator"
DATE = ("--exclude-newer", "2024-09-01")


@pytest.fixture
def own():
    with Server() as server:
        yield server


@pytest.fixture
def more():
    with Server() as server:
        yield server


def answer_of(state, own, text, **env):
    settings = {"UV_DEFAULT_INDEX": own.index, "NETRC": "/dev/null", "HOME": "/nonexistent", **env}
    [answer], log = ask(state, text, *DATE, env=settings, log=True)
    assert SECRET not in str(answer) and SECRET not in log
    return answer


def test_extra_index_is_asked_first_and_with_its_password(state, own, more):
    """The first one that has a project has all of it: never the best of all."""
    own.add(wheel("both-have-it", version="2.0"))
    own.add(wheel("own-only"))
    path = more.add(wheel("both-have-it", version="1.0", requires=["own-only"], payload=os.urandom(1000)))
    more.auth = basic("who", SECRET)
    listed = {"CUVETTE_INDEXES": f"http://other.invalid/simple, more={more.index}/", "UV_INDEX_MORE_USERNAME": "who",
              "UV_INDEX_MORE_PASSWORD": SECRET}
    assert answer_of(state, own, "both-have-it\n", **listed)["packages"] == ["both-have-it 2.0"]
    assert more.seen == []
    answer = answer_of(state, own, f"both-have-it\n--extra-index-url {more.index}\n", **listed)
    assert answer.get("packages") == ["both-have-it 1.0", "own-only 1.0"], answer
    assert len(more.ours(path)) == 1


def test_index_in_place_of_the_services_own(state, own, more):
    own.add(wheel("replaced", version="2.0"))
    more.add(wheel("replaced", version="1.0"))
    text = f"-i {more.site.upper().replace('HTTP', 'http')}/simple/\nreplaced\n"
    assert answer_of(state, own, text, CUVETTE_INDEXES=more.index)["packages"] == ["replaced 1.0"]
    assert own.seen == []
    # the service's own is on the list as it is
    text = f"--index-url {own.index}\nreplaced\n"
    assert answer_of(state, own, text)["packages"] == ["replaced 2.0"]


def test_indexes_of_the_resolvers_configuration_are_listed(state, own, more, tmp_path):
    more.add(wheel("configured"))
    config = tmp_path / "uv.toml"
    config.write_text(f'[[index]]\nname = "more"\nurl = "{more.index}"\nexplicit = true\n')
    text = f"configured\n--extra-index-url {more.index}\n"
    assert answer_of(state, own, text, UV_CONFIG_FILE=str(config)).get("packages") == ["configured 1.0"]


@pytest.mark.parametrize("listed", ["", "{site}/simple/x", "{site}/simpl", "more={site}/simple?a=b", "{other}/simple"])
def test_what_is_not_on_the_list_is_refused(state, own, more, listed):
    listed = listed.format(site=more.site, other=more.site.replace("http", "https"))
    text = f"anything\nanother\n--extra-index-url {more.index}\n"
    said = answer_of(state, own, text, CUVETTE_INDEXES=listed, CUVETTE_TRUSTED_ORIGINS=more.site)["failure"]
    assert (said["code"], said["line"]) == ("requirement-unsupported", 3), said
    assert "CUVETTE_INDEXES" in said["message"] and "127.0.0.1" not in str(said)
    assert more.seen == [] and own.seen == []
