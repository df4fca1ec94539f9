# SPDX-License-Identifier: MIT
"""What a test program printed, as a list of results."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclasses.dataclass
class Result:
    name: str
    outcome: str
    detail: str = ""


TAP_LINE = re.compile(r"^(not )?ok\b *(\d+)?(?: *- *)?(.*)$")
TAP_PLAN = re.compile(r"^1\.\.(\d+)\s*$")


def from_tap(text: str) -> list[Result]:
    """One result a TAP line; a plan that was not kept is one more, failed."""
    results, planned = [], 0
    for line in text.splitlines():
        plan = TAP_PLAN.match(line)
        if plan:
            planned += int(plan.group(1))
            continue
        found = TAP_LINE.match(line)
        if not found:
            continue
        name, _, directive = found.group(3).partition("# ")
        # cmocka 1.1.5 says 'not ok N # SKIP name' of a skipped test.
        if directive.upper().startswith("SKIP"):
            reason = directive[4:].strip()
            results.append(Result(name.strip() or reason, SKIPPED, reason))
        else:
            results.append(Result(name.strip(), FAILED if found.group(1) else PASSED))
    if planned and planned != len(results):
        results.append(Result(f"planned {planned} tests, {len(results)} reported", FAILED))
    return results


def from_junit(path: str) -> list[Result]:
    results = []
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        bad = [child for child in case if child.tag in ("failure", "error")]
        skips = [child for child in case if child.tag == "skipped"]
        if bad:
            results.append(Result(name, FAILED, bad[0].get("message") or ""))
        elif skips:
            results.append(Result(name, SKIPPED, skips[0].get("message") or ""))
        else:
            results.append(Result(name, PASSED))
    return results


def from_exit(name: str, status: int, text: str) -> list[Result]:
    """For a program that says no more than its exit status."""
    if status == 0:
        return [Result(name, PASSED)]
    if status == 77:
        reasons = re.findall(r"^skip: *(.+)$", text, re.MULTILINE)
        return [Result(name, SKIPPED, reasons[-1] if reasons else "no reason given")]
    return [Result(name, FAILED, f"exit status {status}")]


def of_program(name: str, status: int, text: str) -> list[Result]:
    """TAP lines where there are any, the exit status else; a bad status that no
    line explains (a crash after the last line) counts as a failure of its own."""
    results = from_tap(text)
    if not results:
        return from_exit(name, status, text)
    if status not in (0, 77) and not any(r.outcome == FAILED for r in results):
        results.append(Result(f"{name}: ended", FAILED, f"exit status {status}"))
    return results
