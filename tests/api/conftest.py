# SPDX-License-Identifier: MIT
import pytest

import client
import contract

client.CHECKED = contract


@pytest.fixture(scope="session")
def service():
    """One service for all tests of a file; it must end cleanly when asked to."""
    running = client.Service(client.suite_state())
    running.start()
    yield running
    try:
        pids = list(running.pids())
        assert running.process.poll() is None, f"the service died:\n{running.log.read_text()[-4000:]}"
        assert running.stop() == 0, running.log.read_text()[-4000:]
        client.wait_until(lambda: not any(pid in client._parents() for pid in pids), 5, "its processes ended")
    finally:
        running.kill()
