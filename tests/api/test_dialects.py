# SPDX-License-Identifier: MIT
"""The shapes of request that other services' clients send (docs/dialects.md), as those clients know them."""

import concurrent.futures
import json
import re
import subprocess

import pytest

import client


def post(service, path, body, **headers):
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    with service.client() as client:
        return client.post(path, content=body, headers={"Content-Type": "application/json", **headers})


def refused(response, status, member, words=""):
    """An error in the dialect's own words, and nothing else."""
    assert response.status_code == status, response.text
    answer = response.json()
    assert set(answer) == ({member} if isinstance(member, str) else set(member)), answer
    assert all(words in text for text in answer.values()), answer


NO_JSON = [b"", b"{", b"{} {}", b'{"code": "1", "code": "2"}', b'{"code": "\\ud800"}', b'{"code": "1", "x": NaN}',
           b'{"code": "\xff"}', b"[" * 100000, b'{"x": ' + b"[" * 9 + b"]" * 9 + b"}", b'{"code": "1", "x": 1e999}',
           b'{"x": [' + b"1," * 20000 + b"1]}", b'{"code": "1"}\0', b'{"code": "1"}\0{}']


# --- B, Python Execution Agent ---


def agent(service, **body):
    response = post(service, "/api/v1/execute", body)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert set(answer) == {"status", "stdout", "stderr", "execution_time", "return_code"}
    return answer


@client.one_good_of(3)
def test_agent(service):
    got = agent(service, code="import sys; print('hi ü'); print('e', file=sys.stderr)", unknown={"is": "ignored"})
    assert (got["status"], got["stdout"], got["stderr"], got["return_code"]) == ("success", "hi ü\n", "e\n", 0)
    assert 0 < got["execution_time"] < 60
    got = agent(service, code="import sys; sys.exit(3)", timeout=30)
    assert (got["status"], got["return_code"]) == ("error", 3)
    got = agent(service, code="1/0")
    assert got["status"] == "error" and "ZeroDivisionError" in got["stderr"] and 'main.py", line 1' in got["stderr"]
    got = agent(service, code="import signal, time\nfor s in (2, 15): signal.signal(s, signal.SIG_IGN)\n"
                              "print('on', flush=True)\ntime.sleep(60)", timeout=4)
    assert (got["status"], got["stdout"], got["return_code"]) == ("timeout", "on\n", 137)  # SIGKILL
    assert agent(service, code="import os; os.kill(os.getpid(), 11)")["status"] == "error"


def test_agent_shows_nothing_of_the_service(service):
    got = agent(service, code="import os, json; print(json.dumps(dict(os.environ)))", timeout=30)
    assert not [name for name in json.loads(got["stdout"]) if "CUVETTE" in name or "KEY" in name]


@pytest.mark.parametrize("body, words", [
    ({}, "`code` is missing"), ({"code": ""}, "blank"), ({"code": " \n\t"}, "blank"), ({"code": 1}, "not a string"),
    ({"code": None}, "not a string"), ([], "object"), ("x", "object"), (None, "object"),
    *(({"code": "1", "timeout": t}, "`timeout`") for t in (0, 31, -1, 1.5, "5", None, True, 10**15, []))])
def test_agent_refuses(service, body, words):
    refused(post(service, "/api/v1/execute", body if isinstance(body, (dict, list)) else json.dumps(body)), 422, "detail",
            words)


@pytest.mark.parametrize("body", NO_JSON)
def test_agent_reads_no_broken_json(service, body):
    refused(post(service, "/api/v1/execute", body), 422, "detail")


def test_agent_in_its_own_words(service):
    refused(service.get("/api/v1/execute"), 405, "detail", "POST")
    refused(post(service, "/api/v1/execute", {"code": "#" * (1 << 20) + "\n"}), 413, "detail")
    refused(post(service, "/api/v1/execute", b'"' + b"x" * (8 << 20)), 413, "detail")
    refused(post(service, "/api/v1/execute", {"code": "1"}, Origin="https://example.com"), 403, "detail")
    answer = service.raw(b"POST /api/v1/execute HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == 411 and set(answer.json()) == {"detail"}


# --- E, main() executor ---


def script(service, text, status=200):
    response = post(service, "/execute", {"script": text, "unknown": {"is": "ignored"}})
    assert response.status_code == status, response.text
    answer = response.json()
    assert set(answer) == ({"result", "stdout"} if status == 200 else {"error"})
    return answer if status == 200 else answer["error"]


@pytest.fixture(scope="module")
def sleeper(service):
    """What a script of a minute comes to, while others run."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield pool.submit(post, service, "/execute", {"script": "import time\ndef main():\n    time.sleep(60)\n"})


@client.one_good_of(3)
def test_main_returns_and_prints(service, sleeper):
    got = script(service, "def main():\n    print('hi ü')\n    return {'a': [1, 2.5, None, True, 'ü'], 'b': 2**200}\n")
    assert got == {"result": {"a": [1, 2.5, None, True, "ü"], "b": 2**200}, "stdout": "hi ü\n"}
    assert script(service, "def main(): pass") == {"result": None, "stdout": ""}
    # What is printed, even to the descriptor, and at any time, is never the result.
    got = script(service, "import atexit, os, json\natexit.register(lambda: os.write(1, b'end'))\n"
                          "def main():\n    os.write(1, b'result\\n{\"result\": 1}')\n    return json.dumps({})\n")
    assert got == {"result": "{}", "stdout": 'result\n{"result": 1}end'}
    # A module that is imported, once.
    got = script(service, "print(__name__)\ndef main(): return open(__file__).readline()\nif __name__ == '__main__': main()\n")
    assert got == {"result": "print(__name__)\n", "stdout": "script\n"}


@client.one_good_of(3)
def test_main_has_data_science(service):
    got = script(service, """\
import numpy as np, pandas as pd, requests
def main():
    frame = pd.DataFrame({"x": [1, 2, 3]})
    return {"sum": int(frame.x.sum()), "mean": float(np.mean([1, 2])), "requests": requests.__name__}
""")
    assert got["result"] == {"sum": 6, "mean": 1.5, "requests": "requests"}


def test_main_environment_is_made_beforehand(service):
    """The command asks for what a request asks for: nothing is made once more."""
    script(service, "def main(): pass")
    made = subprocess.run([client.BIN / "cuvette", "env", "prewarm", "--state", service.state, "--quiet"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stderr
    runs = [json.loads(line) for line in service.log_lines() if '"run"' in line and made.stdout.strip() in line]
    assert len(made.stdout.strip()) == 32 and runs and runs[-1]["cached"] == 1


@pytest.mark.parametrize("text, words", [
    ("", "Script must define a 'main()' function"), ("x = 1", "Script must define a 'main()' function"),
    ("main = 1", "Script must define a 'main()' function"), ("\ndef main(:\n", "SyntaxError: invalid syntax (line 2)"),
    ("def f():\n    return 1 / 0\n\ndef main():\n    return f()\n", "ZeroDivisionError: division by zero (line 2)"),
    ("\n\nraise KeyError('k')", "KeyError: 'k' (line 3)"), ("def main(x): pass", "TypeError: main() missing 1"),
    ("def main(): return float('nan')", "not JSON-serializable"), ("def main(): return [float('inf')]", "not JSON"),
    ("def main():\n    a = []\n    a.append(a)\n    return a\n", "Circular"), ("def main(): return {1, 2}", "set"),
    ("def main(): return '\\ud800'", "surrogate"), ("def main(): return 'x' * (5 << 20)", "more than 4 MiB"),
    ("def main():\n    a = 1\n    for i in range(600): a = [a]\n    return a\n", "deep"),
    ("import sys\ndef main(): sys.exit(3)", "SystemExit: 3 (line 2)"), ("import os\ndef main(): os._exit(4)", "status 4"),
    ("import os\ndef main(): os.kill(os.getpid(), 9)", "signal 9"), ("def main(): print('x' * (2 << 20))", "1 MiB"),
    ("import os\ndef main():\n    os.mkfifo('cuvette-result')\n    os._exit(0)\n", "status 0"),
    ("def main():\n    open('cuvette-result', 'w').write('result\\n{\"a\": 1} , \"stdout\": 2')\n    import os; os._exit(0)\n",
     "not JSON")])
@client.one_good_of(3)
def test_main_refuses(service, text, words):
    assert words in script(service, text, 400)


@pytest.mark.parametrize("body, members, words", [
    ({"script": 1}, "error", "not a string"), ({"script": None}, "error", "not a string"),
    ({"script": "1", "code": "2"}, ("error", "detail"), "`session_id` and `code`"),
    ({"script": "1", "session_id": "2"}, ("error", "detail"), "`script`"), ({}, ("error", "detail"), "`script`"),
    ({"session_id": "2"}, ("error", "detail"), "`script`"), ([], ("error", "detail"), "`script`"),
    ({"session_id": "", "code": "1"}, "detail", "session_id")])
def test_the_body_chooses(service, body, members, words):
    refused(post(service, "/execute", body), 400 if members == "error" else 422, members, words)


@pytest.mark.parametrize("body", NO_JSON)
def test_execute_reads_no_broken_json(service, body):
    refused(post(service, "/execute", body), 400, ("error", "detail"))


def test_execute_has_bounds(service):
    refused(service.get("/execute"), 405, ("error", "detail"), "POST")
    refused(post(service, "/execute", b'"' + b"x" * (8 << 20)), 413, ("error", "detail"))
    refused(post(service, "/execute", {"script": "#" * (1 << 20) + "\n"}), 413, "error")
    refused(post(service, "/execute", {"code": "#" * (1 << 20) + "\n"}), 413, "detail")
    refused(post(service, "/execute", {"script": "1"}, Origin="https://example.com"), 403, "error", "other sites")


# --- D, pylearn ---


def learn(service, code, **body):
    response = post(service, "/execute", {"code": code, **body})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert set(answer) == {"output", "error", "execution_time", "test_results"}
    return answer


@client.one_good_of(3)
def test_learn(service):
    got = learn(service, "print('hi', input())", language="python", input_data="Bo\n")
    assert (got["output"], got["error"], got["test_results"]) == ("hi Bo\n", "", None) and got["execution_time"] > 0
    got = learn(service, "print('on', flush=True)\n1/0")
    assert got["output"] == "on\n" and "ZeroDivisionError" in got["error"]
    got = learn(service, "print('on', flush=True)\nimport time\ntime.sleep(60)", timeout=0.5)
    assert got["output"] == "" and got["error"].startswith("Execution timed out")
    assert "memory" in learn(service, "x = b' ' * (200 << 20)")["error"]
    assert learn(service, "1", test_cases=[])["test_results"] == []


ADD = "def add(a, b):\n    return a + b\n\nif __name__ == '__main__':\n    print(add(*map(int, input().split())))\n"


@client.one_good_of(3)
def test_learn_cases(service):
    got = learn(service, ADD, input_data="1 2", test_cases=[
        {"input": "1 2", "expected_output": "3"}, {"input": "1 2", "expected_output": "4"}, {"input": "5 6\n"}, {},
        {"input": "x", "expected_output": "ValueError"}, {"code": "print(add(2, 3), '')", "expected_output": "5\n"},
        {"code": "print(add(2, 3))", "expected_output": "3\n5"}, {"code": "assert add(1, 1) == 3"},
        {"code": "assert add(1, 1) == 2"}])
    assert got["output"] == "3\n"
    results = got["test_results"]
    assert [r["passed"] for r in results] == [True, False, True, True, True, True, False, False, True]
    assert results[0] == {"passed": True, "message": "✅ Test passed: 1 2 -> Expected: 3", "input": "1 2",
                          "expected_output": "3"}
    assert results[1]["message"] == "❌ Test failed: 1 2 -> Expected: 4"
    assert results[3] == {"passed": True, "message": "✅ Test passed: (no input) -> Expected: (expected output)",
                          "input": None, "expected_output": None}
    assert results[5]["message"] == "✅ Test passed: (no input) -> Expected: 5\n"


def test_learn_cases_are_isolated(service):
    code = "import os, sys\nopen('seen', 'x').close()\nn = input()\nif n == 'kill': os.kill(os.getpid(), 9)\nprint(n)"
    got = learn(service, code, input_data="0", timeout=30, test_cases=[
        {"input": n, "expected_output": n} for n in ("1", "kill", "2")] + [
        {"input": "kill"},
        {"input": "1", "code": "n = 'changed'; print(n)", "expected_output": "changed"}, {"input": "3", "expected_output": "3"}])
    assert [r["passed"] for r in got["test_results"]] == [True, False, True, False, True, True]
    got = learn(service, "1", timeout=1, test_cases=[{"code": "while True: pass"}])
    assert [r["passed"] for r in got["test_results"]] == [False]


@client.one_good_of(3)
def test_learn_compares_the_cases_own_output(service):
    code = "import sys, os\nprint('noise')\nos.write(1, b'noise')\nsys.exit(0)"
    got = learn(service, code, test_cases=[{"code": "print('a  \\n b\\t\\n\\n')", "expected_output": "a\n b"},
                                           {"code": "print(__name__, end='')", "expected_output": "__main__"}])
    assert [r["passed"] for r in got["test_results"]] == [True, True], got


@pytest.mark.parametrize("body, words", [
    ({"code": ""}, "blank"), ({"code": 1}, "not a string"), ({"code": "1", "language": "ruby"}, "Unsupported language"),
    ({"code": "1", "language": 1}, "`language`"), ({"code": "1", "timeout": 0}, "`timeout`"),
    ({"code": "1", "timeout": 31}, "`timeout`"), ({"code": "1", "input_data": 1}, "`input_data`"),
    ({"code": "1", "test_cases": {}}, "`test_cases`"), ({"code": "1", "test_cases": [1]}, "item 1"),
    ({"code": "1", "test_cases": [{"input": 1}]}, "`input`"), ({"code": "1", "test_cases": [{}] * 65}, "64"),
    ({"code": "1", "test_cases": [{}] * 60, "timeout": 30}, "1200 s")])
def test_learn_refuses(service, body, words):
    refused(post(service, "/execute", body), 422, "detail", words)


def test_main_has_ten_seconds(sleeper):
    refused(sleeper.result(), 400, "error", "Script timed out after 10 seconds")


@client.one_good_of(3)
def test_the_manuals_examples(service):
    """Each command of docs/dialects.md answers what stands below it, but for times."""
    text = (client.ROOT / "docs/dialects.md").read_text()
    found = re.findall(r"```sh\ncurl -sS \S+?(/\S+) -d '(.*?)'\n```\n\n```json\n(.*?)```", text, re.DOTALL)
    assert len(found) == 3
    for path, body, answer in found:
        expected, got = json.loads(answer), post(service, path, body).json()
        assert {**got, "execution_time": 0} == {**expected, "execution_time": 0}


# --- keys, origins, no index ---

SITE = "https://learn.example"
NOWHERE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_INDEX_URL": "http://127.0.0.1:9/simple",
           "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}


@pytest.fixture(scope="module")
def keyed():
    with client.fresh_state() as state:
        with client.Service(state, "--allowed-origins", f"https://other.example, {SITE}", API_KEY="secret",
                            PREWARM="1", **NOWHERE) as running:
            yield running


def test_wrong_keys_in_each_ones_words(keyed):
    for headers in ({}, {"X-API-Key": "wrong"}):
        for path, body, status, member in [
                ("/api/v1/execute", {"code": "1"}, 401, "detail"), ("/execute", {"script": "1"}, 401, "error"),
                ("/execute", {"session_id": "s", "code": "1"}, 401, "detail"),
                ("/execute", {"x": 1}, 401, ("error", "detail")), ("/execute", "{", 401, ("error", "detail")),
                ("/execute", b'{"code": "' + b"x" * 70000 + b'"}', 401, ("error", "detail"))]:
            answer = post(keyed, path, body, **headers)
            refused(answer, status, member, "API key")
            assert "WWW-Authenticate" in answer.headers
        answer = post(keyed, "/execute", {"code": "1"}, Origin=SITE, **headers)
        assert answer.status_code == 403 and answer.json() == {"detail": "Invalid API key"}
    assert post(keyed, "/api/v1/execute", {"code": "1"}, Authorization="Bearer secret").json()["status"] == "success"


def test_learn_knows_its_sites(keyed):
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": SITE + ".evil"}, {"Origin": "null"}):
        answer = post(keyed, "/execute", {"code": "print(1)"}, **{"X-API-Key": "secret", **headers})
        assert answer.status_code == 403 and answer.json() == {"detail": "Access denied: Invalid origin"}
        assert "Access-Control-Allow-Origin" not in answer.headers
    answer = post(keyed, "/execute", {"code": "print(1)"}, **{"X-API-Key": "secret", "Origin": SITE})
    assert answer.status_code == 200 and answer.json()["output"] == "1\n"
    assert answer.headers["Access-Control-Allow-Origin"] == SITE and "Origin" in answer.headers["Vary"]


def test_preflight_for_allowed_sites_only(keyed, service):
    with keyed.client() as http:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
        answer = http.options("/execute", headers={"Origin": SITE, **asked})
        assert answer.status_code == 200 and answer.headers["Access-Control-Allow-Origin"] == SITE
        assert "X-API-Key" in answer.headers["Access-Control-Allow-Headers"]
        for headers in ({}, {"Origin": "https://evil.example"}):
            answer = http.options("/execute", headers={**headers, **asked})
            assert answer.status_code == 403 and answer.json() == {"detail": "Access denied: Invalid origin"}
            assert "Access-Control-Allow-Origin" not in answer.headers
    with service.client() as http:
        assert http.options("/execute", headers={"Origin": SITE}).status_code == 403


def test_main_without_its_packages(keyed):
    answer = post(keyed, "/execute", {"script": "def main(): pass"}, **{"X-API-Key": "secret"})
    assert answer.status_code == 503 and set(answer.json()) == {"error"} and "Retry-After" in answer.headers
    client.wait_until(lambda: any('"prewarm-failed"' in line for line in keyed.log_lines()), 60, "it was tried at start")
