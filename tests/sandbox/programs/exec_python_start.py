# SPDX-License-Identifier: MIT
"""Modules and variables by which a later interpreter would run other code first."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held flags
import subprocess

for name in ("sitecustomize", "usercustomize", "encodings", "site"):
    with open(f"/box/{name}.py", "w") as f:
        f.write("print('cuvette-escape-mark')\n")
os.makedirs("/home/cuvette/.local/lib/python3.11/site-packages", exist_ok=True)
with open("/home/cuvette/.local/lib/python3.11/site-packages/evil.pth", "w") as f:
    f.write("import sys; print('cuvette-escape-mark')\n")
check("flags", not sys.flags.inspect and not sys.flags.interactive)
# A child of one's own may be fooled: it is the same run.
subprocess.run([sys.executable, "-c", "print('child')"], capture_output=True)
