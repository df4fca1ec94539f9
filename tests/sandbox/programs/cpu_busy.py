# SPDX-License-Identifier: MIT
"""Burns CPU time in one process."""
# limits: timeout=20 cpu_time=1
# expect: status timeout
# expect: wall < 8
while True:
    pass
