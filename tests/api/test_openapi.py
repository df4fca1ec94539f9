# SPDX-License-Identifier: MIT
"""The document that the service gives of itself. That each answer of the other tests is as
it says, contract.py sees to."""

import json
import re

import jsonschema
import pytest

import client
import contract


@pytest.fixture(scope="module")
def document(service):
    answer = service.get("/openapi.json")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads((client.BIN.parent / "openapi.json").read_text())
    return answer.json()


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def test_every_schema_is_one(document):
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
    for method, path, operation in operations(document):
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                jsonschema.Draft202012Validator.check_schema(content.get("schema", {}))


def test_every_example_is_as_its_schema(document):
    checker = contract.Contract(document)
    for _, path, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            for name, example in content.get("examples", {}).items():
                assert checker.errors(content["schema"], example["value"]) == [], (path, kind, name)


def test_every_path_has_its_method(service, document):
    for path, item in document["paths"].items():
        if any(operation["tags"] == ["share"] for operation in item.values()):
            continue  # only where the service shares its store
        with service.client() as http:
            answer = http.request("PATCH", re.sub(r"\{\w+\}", "x", path))
        allowed = {word.strip() for word in answer.headers.get("allow", "").split(",")}
        assert answer.status_code == 405 and {m.upper() for m in item} <= allowed, (path, answer.status_code, allowed)


def test_every_path_is_in_the_manual(document):
    manual = "".join((client.ROOT / "docs" / name).read_text() for name in ("api.md", "dialects.md", "metrics.md"))
    missing = [path for path in document["paths"]
               if not all(part.rstrip("/") in manual for part in re.split(r"\{\w+\}", path))]
    assert not missing, missing


def test_it_needs_no_key_and_has_none():
    key = "a-key-nobody-else-has"
    with client.fresh_state() as state, client.Service(state, API_KEY=key) as running:
        answer = running.get("/openapi.json")
        assert answer.status_code == 200 and key not in answer.text and str(state) not in answer.text
        for method, path, operation in operations(answer.json()):
            if operation["x-cuvette-scope"] != "none" and operation["tags"] != ["share"]:
                with running.client() as http:
                    refused = http.request(method, re.sub(r"\{\w+\}", "x", path))
                assert refused.status_code in (401, 403), (method, path, refused.text)


@pytest.mark.parametrize("change", [
    lambda answer: answer.pop("stdout"), lambda answer: answer.update(more=1), lambda answer: answer.update(status="fine"),
    lambda answer: answer["environment"].update(more=1), lambda answer: answer["usage"].pop("wall")])
def test_an_answer_that_is_not_as_documented_is_found(service, document, change):
    checker, answer = contract.Contract(document), service.answer("print(1)\n")
    headers = {"content-type": "application/json", "x-request-id": answer["request_id"]}
    checker.check("POST", "/api/v1/run", 200, headers, json.dumps(answer).encode())
    change(answer)
    with pytest.raises(contract.Broken):
        checker.check("POST", "/api/v1/run", 200, headers, json.dumps(answer).encode())
    with pytest.raises(contract.Broken):
        checker.check("POST", "/api/v1/run", 418, headers, b"")
