# SPDX-License-Identifier: MIT
"""What dialect E runs as main.py: imports the client's script, which lies beside it, calls its main(), and
leaves what came of that in a file. What the script prints is another channel; it can lie only of itself."""

import json
import os
import sys
import types

SCRIPT = "script.py"
RESULT = os.path.join(os.getcwd(), "cuvette-result")  # the script may change the folder
MESSAGE_MAX = 4000
dumps = json.dumps


def save(kind, data):
    with open(RESULT, "wb") as file:
        file.write(kind + b"\n" + data)


def text_of(error):
    try:
        return str(error)
    except BaseException:
        return ""


def refuse(message):
    save(b"error", message[:MESSAGE_MAX].encode("utf-8", "backslashreplace"))
    sys.exit(1)


def refuse_error(error):
    """Type, message, and the innermost line of the script that it passed through."""
    text, line = text_of(error), None
    if isinstance(error, SyntaxError) and error.filename == SCRIPT:
        text, line = error.msg, error.lineno
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == SCRIPT:
            line = trace.tb_lineno
        trace = trace.tb_next
    refuse(type(error).__name__ + (f": {text}" if text else "") + (f" (line {line})" if line else ""))


def load():
    with open(SCRIPT, "rb") as file:
        code = compile(file.read(), SCRIPT, "exec", dont_inherit=True)
    module = types.ModuleType("script")
    module.__file__ = SCRIPT
    sys.modules["script"] = module
    exec(code, module.__dict__)
    return module.__dict__.get("main")


def run():
    try:
        main = load()
        if callable(main):
            result = main()
    except BaseException as error:
        refuse_error(error)
    if not callable(main):
        refuse("Script must define a 'main()' function")
    try:
        data = dumps(result, allow_nan=False, ensure_ascii=False).encode()
    except BaseException as error:
        refuse(f"main() returned a value that is not JSON-serializable: {type(error).__name__}: {text_of(error)}")
    save(b"result", data)


if __name__ == "__main__":
    run()
