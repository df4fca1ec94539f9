# environment: packages
# args: ["a", "ä"]
# with: random.py
import sys

import random

print(random.__file__, random.own, sys.argv, sys.orig_argv[1:])
