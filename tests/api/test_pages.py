# SPDX-License-Identifier: MIT
"""/, /docs and /redoc (test_browser.py opens them): made of pinned files, and of nothing from elsewhere."""

import hashlib
import json
import re
import shutil

import pytest

import client

PINS = json.loads((client.ROOT / "tools/api-docs.json").read_text())["files"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_asks_for_its_own_files_only(service, path):
    page = service.get(path)
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["connect-src"] == "'self'"
    assert "//" not in page.text and "<script>" not in page.text and "onload" not in page.text
    asked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(asked) >= 3
    for name in asked:
        if not name.startswith("data:"):
            assert service.get(f"/{name}").status_code == 200, name


def test_a_browser_gets_a_page_that_runs_programs(service):
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    page = service.get("/", headers=browser)
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["vary"] == "Accept" and "script-src 'self'" in page.headers["content-security-policy"]
    assert "//" not in page.text and "<script>" not in page.text
    for name, kind in (("playground.js", "text/javascript"), ("playground.css", "text/css")):
        assert f'"docs/{name}"' in page.text
        answer = service.get(f"/docs/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"] == f"{kind}; charset=utf-8"
    # It puts nothing in as HTML, and sends what the API takes.
    script = service.get("/docs/playground.js").text
    assert "innerHTML" not in script and "eval" not in script
    assert set(re.findall(r'at\("(\w+)"\)|show\("(\w+)"', script)) and all(
        f'id="{a or b}"' in page.text for a, b in re.findall(r'at\("(\w+)"\)|show\("(\w+)"', script))
    sent = {name: "" for name in re.findall(r"^      (\w+): ", script, re.MULTILINE)}
    assert set(sent) == {"code", "requirements", "stdin", "artifacts"}
    with service.client() as http:
        answer = http.post("/api/v1/run", json={**sent, "code": "print(input())", "requirements": "# none\n", "stdin": "in",
                                                "artifacts": ["*.png", "*.svg", "*.csv", "*.txt"]},
                           headers={"Origin": service.url})
    assert answer.json()["stdout"] == "in\n", answer.text
    for accept in ("*/*", "application/json", "text/html, application/json"):
        assert service.get("/", headers={"Accept": accept}).json()["service"] == "cuvette"


@pytest.mark.parametrize("name", PINS)
def test_its_files_are_the_pinned_ones(service, name):
    answer = service.get(f"/docs/{name}")
    assert hashlib.sha256(answer.content).hexdigest() == PINS[name]["sha256"]
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff" and "content-security-policy" in answer.headers


@pytest.mark.parametrize("name", ["x", "start.js.map", "%2e%2e", "..%2f..%2fetc%2fpasswd", "swagger-ui.css%00", ""])
def test_there_are_no_others(service, name):
    assert service.get(f"/docs/{name}").status_code in (400, 404)


def test_without_the_files_the_service_serves_all_else():
    with client.fresh_state() as state:
        shutil.rmtree(state / "api-docs")
        with client.Service(state) as running:
            for path in ("/docs", "/redoc", "/docs/swagger-ui.css"):
                answer = running.get(path)
                assert answer.status_code == 503 and "make store" in answer.json()["error"]["message"]
            assert running.get("/openapi.json").status_code == 200
            assert running.answer("print(1)\n", lint="off")["stdout"] == "1\n"
