# SPDX-License-Identifier: MIT
"""Burns CPU time inside one operation that no Python signal handler interrupts."""
# limits: timeout=2
# expect: status timeout
# expect: wall < 6
x = 7 ** (10 ** 8) % 1000
