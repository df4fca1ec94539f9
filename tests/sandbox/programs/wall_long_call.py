# SPDX-License-Identifier: MIT
"""Is in the middle of a call that takes long when its time is over."""
# limits: timeout=1
# expect: status timeout
import ctypes

big = ctypes.create_string_buffer(200 << 20)
while True:
    syscall(318, big, 200 << 20, 0)  # getrandom looks up seldom
