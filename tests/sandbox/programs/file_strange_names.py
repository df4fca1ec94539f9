# SPDX-License-Identifier: MIT
"""File names that are no text, that are as long as can be, that look like options."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^named 6
named = 0
for name in (b"\xff\xfe", b"new\nline", b"-rf", b"\x1b[31m", b"n" * 255, b"..\xc0\xaf.."):
    with open(b"/box/" + name, "w") as f:
        f.write("x")
    named += 1
print("named", named, flush=True)
os.write(1, b"\n".join(os.listdir(b"/box")))
