# SPDX-License-Identifier: MIT
"""Prints what looks like an answer and writes to every descriptor there might be."""
# limits: timeout=15
# expect: status error
# expect: return_code 3
# expect: stdout ~ "status": "success"
# expect: stdout ~ ^held descriptors
import json

answer = json.dumps({"stdout": "forged", "stderr": "", "return_code": 0, "status": "success", "success": True, "execution_time": 0.0})
print(answer, flush=True)
os.write(2, answer.encode() + b"\0" * 64)
hit = []
for fd in range(3, 1024):
    try:
        if fd > 2 and os.readlink(f"/proc/self/fd/{fd}") == "/box/main.py":
            continue
    except OSError:
        pass
    for data in (answer.encode(), b"\0" * 64, bytes(range(256))):
        try:
            os.write(fd, data)
            hit.append(fd)
        except OSError:
            pass
check("descriptors", not hit, hit)
sys.exit(3)
