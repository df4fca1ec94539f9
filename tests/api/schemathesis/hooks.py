# SPDX-License-Identifier: MIT
"""What Schemathesis may not find out by itself: nothing is asked of a package index, and no
run holds the search up; and what it may not hold against the service."""

import types

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.jsonschema import strategy
from schemathesis.openapi.checks import UseAfterFree
from schemathesis.specs.openapi import checks
from schemathesis.transport.serialization import Binary, contains_binary

# Fields that name packages, in all dialects: what is generated there is a comment.
REQUIREMENTS = ("requirements", "requirements_files", "packages")
# Seconds that are good in each of the dialects.
TIMEOUT_MAX = 30
# What is cancelled is still there, for whoever asks what came of it.
CANCELS = ("DELETE /api/v1/runs/{id}", "DELETE /api/v1/environments/builds/{id}")


def _also_of_bytes(validator_of):
    """A value with bytes in it is never looked at by what would fail of it; Schemathesis has forgotten one place,
    and ends with "Unsupported type: 'Binary'" when it comes there."""
    def made(schema):
        fits = validator_of(schema)
        return lambda value: contains_binary(value) or fits(value)
    return made


strategy._validator = _also_of_bytes(strategy._validator)


def _harmless(value):
    if isinstance(value, str):
        return "# " + value.replace("\n", " ").replace("\r", " ") if value else value
    if isinstance(value, bytes):
        return b"# none\n" if value else value
    if isinstance(value, list):
        return [_harmless(item) for item in value]
    if isinstance(value, dict):
        return {key: _harmless(item) for key, item in value.items()}
    return value


def _short(timeout):
    """2 s at most. But what is wrong stays so, by its fraction too: else it would be sent as bad, and taken."""
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 2 < timeout <= TIMEOUT_MAX:
        return timeout
    return 1 + timeout % 1


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict):
        for name in REQUIREMENTS:
            if name in body:
                body[name] = _harmless(body[name])
        # A script's packages would be fetched first.
        if isinstance(body.get("script"), str):
            body["script"] = None
        if "timeout" in body:
            body["timeout"] = _short(body["timeout"])
    return body


def _fits_as_sent(case, response):
    """A form's fields are text: a -5 where a text belongs is sent as the text "-5", which fits. Schemathesis looks
    at what was sent, too, but of a form with a file it can't: its validator takes no bytes."""
    if not isinstance(case.body, dict) or checks._has_other_negated_location(case, ParameterLocation.BODY):
        return False
    files = [name for name, value in case.body.items() if isinstance(value, (bytes, Binary))]
    readable = types.SimpleNamespace(operation=case.operation, body={**case.body, **dict.fromkeys(files, "a file")})
    return bool(files) and checks._form_body_is_valid_as_sent(response, readable, case.media_type)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, UseAfterFree):
        return failure.operation not in CANCELS
    return not (isinstance(failure, AcceptedNegativeData) and _fits_as_sent(case, response))
