# SPDX-License-Identifier: MIT
"""An exit status that looks like a signal is an exit status."""
# limits: timeout=15
# expect: status error
# expect: return_code 137
# expect: signal none
os._exit(137)
