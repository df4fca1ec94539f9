# SPDX-License-Identifier: MIT
"""Real answers against the service's own OpenAPI document: each one that the tests get
through client.py is as the document says, or its test fails."""

import functools
import json
import pathlib
import re

import jsonschema

# Larger ones take seconds, and their like is checked at a smaller size.
BYTES_MAX = 128 << 10
# What is answered at paths, or by methods, that are no operations.
NOT_OPERATIONS = {"bad-request", "too-large", "not-found", "method-not-allowed", "internal"}


class Broken(AssertionError):
    """An answer that is not as the document says."""


@functools.cache
def _template(path: str) -> re.Pattern:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))


class Contract:
    def __init__(self, document: dict):
        self.document = document
        self.resolver = jsonschema.RefResolver("", document)

    def item(self, path: str) -> dict | None:
        for template in sorted(self.document["paths"], key=lambda known: "{" in known):
            if _template(template).fullmatch(path):
                return self.document["paths"][template]
        return None

    def errors(self, schema: dict, value) -> list[str]:
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        return [f"{'/'.join(map(str, e.absolute_path)) or 'the body'}: {e.message[:300]}"
                for e in sorted(validator.iter_errors(value), key=str)[:5]]

    def check_value(self, name: str, value) -> None:
        """One that is no whole answer, as the schema of this name."""
        if wrong := self.errors({"$ref": f"#/components/schemas/{name}"}, value):
            raise Broken(f"{name}: {wrong}")

    def deref(self, node: dict) -> dict:
        return self.resolver.resolve(node["$ref"])[1] if "$ref" in node else node

    def check(self, method: str, path: str, status: int, headers, body: bytes | None) -> None:
        """body None: not to be looked at."""
        what = f"{method} {path} answered {status}"
        item = self.item(path)
        operation = item and item.get(method.lower(), item.get("get") if method == "HEAD" else None)
        if item and not operation and status == 405:
            return  # in the words of the path's other operations
        # An encoded slash is one too where the operation takes a part of a path without any.
        if operation and "%2f" in path.lower() and str(status) not in operation["responses"]:
            operation = None
        if operation is None:
            value = json.loads(body) if body else None
            for dialect in ("DialectError", "JobeMessage"):
                if value and not self.errors({"$ref": f"#/components/schemas/{dialect}"}, value):
                    return  # at a dialect's path
            wrong = self.errors({"$ref": "#/components/schemas/Error"}, value) if value else []
            if wrong or (value and value["error"]["code"] not in NOT_OPERATIONS):
                raise Broken(f"{what}, which is no operation: {wrong or body}")
            return
        answer = operation["responses"].get(str(status))
        if answer is None:
            raise Broken(f"{what}, which its operation does not document: {(body or b'')[:500]!r}")
        answer = self.deref(answer)
        self.check_headers(what, answer, headers)
        kind = headers.get("content-type", "").partition(";")[0]
        content = answer.get("content", {})
        if content and kind not in content:
            raise Broken(f"{what} as {kind}; documented are {sorted(content)}")
        if body and kind == "application/json":
            if wrong := self.errors(content[kind].get("schema", {}), json.loads(body)):
                raise Broken(f"{what}: {wrong}")

    def check_headers(self, what: str, answer: dict, headers) -> None:
        for name, header in answer.get("headers", {}).items():
            if self.deref(header).get("required") and name.lower() not in headers:
                raise Broken(f"{what} without {name}")


@functools.cache
def of_build(folder: pathlib.Path) -> Contract:
    """The document as `make` wrote it down; test_openapi.py sees that it is what a service gives."""
    return Contract(json.loads(folder.joinpath("openapi.json").read_text()))
