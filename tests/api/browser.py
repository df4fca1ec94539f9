# SPDX-License-Identifier: MIT
"""A real browser for pages: Chromium without a window, driven as https://www.w3.org/TR/webdriver2/ says."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import httpx

DRIVER, CHROMIUM = shutil.which("chromedriver"), shutil.which("chromium")
SECONDS = 120
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the standard's name of a reference to one


class Browser:
    def __init__(self, http: httpx.Client, session: str):
        self.http, self.session = http, session

    def _ask(self, method: str, path: str, body: dict | None = None):
        answer = self.http.request(method, f"/session/{self.session}{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    def script(self, text: str, *words):
        return self._ask("POST", "/execute/sync", {"script": text, "args": list(words)})

    def _element(self, selector: str) -> str:
        return self._ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def type(self, selector: str, text: str) -> None:
        """In the place of what is there, by the keyboard."""
        at = self._element(selector)
        self._ask("POST", f"/element/{at}/clear", {})
        self._ask("POST", f"/element/{at}/value", {"text": text})

    def click(self, selector: str) -> None:
        self._ask("POST", f"/element/{self._element(selector)}/click", {})

    def text(self, selector: str) -> str:
        return self.script("return document.querySelector(arguments[0]).textContent", selector)

    def count(self, selector: str) -> int:
        return self.script("return document.querySelectorAll(arguments[0]).length", selector)

    def wait_for(self, selector: str, pattern: str = "") -> str:
        """The text of the element, when it is there and has the pattern."""
        deadline = time.monotonic() + SECONDS
        while True:
            found = self.text(selector) if self.count(selector) else None
            if found is not None and re.search(pattern, found):
                return found
            assert time.monotonic() < deadline, f"{selector} has no {pattern!r}: {found!r}"
            time.sleep(0.1)

    def complaints(self) -> list[str]:
        """What the browser's console has of errors, among them what the page's policy refused."""
        return [row["message"] for row in self._ask("POST", "/se/log", {"type": "browser"}) if row["level"] == "SEVERE"]


def options(folder: pathlib.Path) -> dict:
    # Its own sandbox needs another user than root; it sees no pages but ours here.
    words = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server",
             "--disable-background-networking", "--disable-component-update", "--no-first-run", f"--user-data-dir={folder}"]
    return {"capabilities": {"alwaysMatch": {"goog:loggingPrefs": {"browser": "ALL"},
                                             "goog:chromeOptions": {"binary": CHROMIUM, "args": words}}}}


@contextlib.contextmanager
def started():
    """A browser of its own; it and all that it started are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as made:
        folder = pathlib.Path(made)
        log = folder / "driver.log"
        with open(log, "wb") as out:
            driver = subprocess.Popen([DRIVER, "--port=0"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                      start_new_session=True, env={**os.environ, "HOME": made})
        try:
            deadline, port = time.monotonic() + SECONDS, None
            while not port:
                port = re.search(r"started successfully on port (\d+)", log.read_text())
                assert driver.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            with httpx.Client(base_url=f"http://127.0.0.1:{port[1]}", timeout=SECONDS, trust_env=False) as http:
                answer = http.post("/session", json=options(folder / "profile"))
                assert answer.status_code == 200, answer.text
                session = answer.json()["value"]["sessionId"]
                try:
                    yield Browser(http, session)
                finally:
                    http.delete(f"/session/{session}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
