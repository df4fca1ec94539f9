# SPDX-License-Identifier: MIT
import sys

print("before", flush=True)
sys.exit(3)
