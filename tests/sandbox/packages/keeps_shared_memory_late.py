# SPDX-License-Identifier: MIT
"""Maps it only when the zygote has been looked at: in the moment of the first fork."""
# accepts: mappings - a run has its environment's packages in it anyway; they may talk to each other
import mmap
import os

counter = []


def map_late():
    if not counter:
        counter.append(mmap.mmap(-1, 4096))


os.register_at_fork(before=map_late)
