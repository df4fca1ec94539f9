# SPDX-License-Identifier: MIT
"""What several files of these tests start from."""
import pytest
from helpers import clean_state
from served import Server


@pytest.fixture(scope="module")
def state():
    """A state folder of a file's own that knows no environment yet."""
    with clean_state() as folder:
        yield folder


@pytest.fixture(scope="module")
def index():
    """An index on the loopback for all tests of a file; those who want one for each test say so."""
    with Server() as server:
        yield server
