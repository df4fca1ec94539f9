# SPDX-License-Identifier: MIT
"""Fixtures for tests of the command line: the suite's state folder, a service on it,
and an ordinary user with a state folder of their own."""

import pytest

import shell


@pytest.fixture(scope="session")
def state():
    return shell.suite_state()


@pytest.fixture(scope="module")
def service(state):
    """One service for a file's tests; it must end cleanly when asked to."""
    with shell.service(state) as running:
        yield running


@pytest.fixture(scope="session")
def user():
    """An ordinary user, when root runs the tests; without subordinate ids."""
    if shell.os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with shell.other_user() as somebody:
        yield somebody


@pytest.fixture(scope="module")
def folder():
    """A state folder of a file's own, for what depends on all that is there."""
    with shell.client.fresh_state() as made:
        yield made
