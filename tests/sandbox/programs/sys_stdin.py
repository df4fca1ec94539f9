# SPDX-License-Identifier: MIT
"""stdin is empty and ends; nothing waits behind it."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held end
check("end", sys.stdin.buffer.read() == b"")
