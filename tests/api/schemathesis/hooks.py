# SPDX-License-Identifier: MIT
"""What Schemathesis may not find out by itself: nothing is asked of a package index, and no
run holds the search up."""

import schemathesis

# Fields that name packages, in all dialects: what is generated there is a comment.
REQUIREMENTS = ("requirements", "requirements_files", "packages")


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


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict):
        for name in REQUIREMENTS:
            if name in body:
                body[name] = _harmless(body[name])
        # A script's packages would be fetched first.
        if isinstance(body.get("script"), str):
            body["script"] = None
        if isinstance(body.get("timeout"), (int, float)) and not isinstance(body["timeout"], bool) and body["timeout"] > 2:
            body["timeout"] = 2
    return body
