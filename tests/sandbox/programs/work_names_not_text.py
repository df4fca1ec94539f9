# SPDX-License-Identifier: MIT
"""Thousands of names that are no UTF-8, that look like options, paths and terminal words."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^named
import random

rng, named = random.Random(4), 0
for n in range(600):
    name = bytes(rng.choice([b for b in range(1, 256) if b != 47]) for _ in range(rng.randint(1, 255)))
    try:
        if n % 3 == 0:
            os.mkdir(b"/box/" + name)
        elif n % 3 == 1:
            os.symlink(name, b"/box/" + name)
        else:
            with open(b"/box/" + name, "wb") as f:
                f.write(name)
        named += 1
    except OSError:
        pass
for name in (b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xae\xc0\xae", b"con", b"a\r\nX: y", b"--help", b"$(reboot)", b"\xe2\x80\xae", b" "):
    with open(b"/box/" + name, "wb") as f:
        f.write(b"x")
print("named", named)
