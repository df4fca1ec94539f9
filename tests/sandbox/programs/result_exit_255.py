# SPDX-License-Identifier: MIT
"""The largest exit status, without any cleaning up."""
# limits: timeout=15
# expect: status error
# expect: return_code 255
os._exit(255)
