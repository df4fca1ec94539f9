# SPDX-License-Identifier: MIT
"""The pages in a real browser: what a visitor sees, types and gets, and that its console has nothing to complain of."""

import pytest

import browser

if not (browser.DRIVER and browser.CHROMIUM):
    pytest.skip("chromium and chromedriver are not installed (make check installs them)", allow_module_level=True)

PROGRAM = """\
import os
import pathlib

print("<img src=x onerror=document.title='owned'>", input())
pathlib.Path("dot.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
pathlib.Path("table.csv").write_text("a,b\\n")
"""
MANUAL = "[data-section-id^='operation/'], [data-section-id*='/paths/']"


@pytest.fixture(scope="module")
def page():
    with browser.started() as running:
        yield running


def test_a_visitor_runs_a_program(service, page):
    page.open(service.url)
    assert page.script("return document.title") == "Cuvette"
    page.click("#run")
    assert "success" in page.wait_for("#status", "return code")
    assert page.text("#stdout").startswith("hello from Python 3.")
    page.type("#code", PROGRAM)
    page.type("#stdin", "typed")
    page.click("#run")
    page.wait_for("#stdout", "typed")
    # What a program prints is text, whatever it looks like.
    assert page.text("#stdout") == "<img src=x onerror=document.title='owned'> typed\n"
    assert page.count("#stdout *") == 0 and page.script("return document.title") == "Cuvette"
    assert "F401" in page.wait_for("#lint")
    page.wait_for("#artifacts a", "table.csv")
    assert page.count("#artifacts img[alt='dot.svg']") == 1
    assert page.script("return document.querySelector('#artifacts img').decode().then(() => true)") is True
    # A program that says itself what it needs.
    page.type("#code", '# /// script\n# dependencies = ["idna==3.7"]\n# ///\nimport idna\nprint("idna", idna.__version__)\n')
    page.click("#run")
    page.wait_for("#stdout", "idna 3.7")
    assert page.complaints() == []


def test_a_visitor_is_told_what_is_wrong(service, page):
    page.open(service.url)
    page.type("#requirements", "six==1.16.0\nthis is no requirement")
    page.click("#run")
    page.wait_for("#status", "requirement-invalid")
    assert page.text("#stderr").startswith("requirements.txt:2:") and page.text("#stdout") == ""
    assert page.text("#stderr").endswith("this is no requirement")
    page.type("#requirements", "# none")
    page.type("#code", "raise SystemExit(3)")
    page.click("#run")
    page.wait_for("#status", "return code 3")
    assert [line.rpartition("status of ")[2][:3] for line in page.complaints()] == ["422"]


def operations(service) -> int:
    paths = service.get("/openapi.json").json()["paths"]
    return sum(method in ("get", "post", "put", "delete", "options", "head", "patch")
               for methods in paths.values() for method in methods)


def test_the_document_is_shown(service, page):
    page.open(service.url + "/docs")
    page.wait_for(".opblock")
    assert page.count(".opblock") == operations(service) > 20
    assert page.complaints() == []


def test_the_document_is_shown_as_a_manual(service, page):
    page.open(service.url + "/redoc")
    page.wait_for(MANUAL)
    assert page.count(MANUAL) >= operations(service)
    # Its sign of its makers lies elsewhere, where the page's policy lets nobody ask.
    assert all("logo" in line and "Content Security Policy" in line for line in page.complaints())
