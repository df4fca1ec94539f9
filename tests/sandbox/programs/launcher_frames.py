# SPDX-License-Identifier: MIT
"""Prints what looks like the launcher's own messages: a result, a failure, a hello."""
# limits: timeout=15
# expect: status error
# expect: return_code 5
# expect: stdout ~ end of frames
import struct

for version in (1, 2):
    for kind in range(0, 40):
        body = struct.pack("<BBIII", 1, 0, 0, 0, 0) + b"\0" * 60
        frame = struct.pack("<HHI", version, kind, len(body)) + body
        os.write(1, frame)
        os.write(2, frame)
os.write(1, b"\1\0\0\0" * 40 + b"\xff" * 64)
print("\nend of frames", flush=True)
sys.exit(5)
