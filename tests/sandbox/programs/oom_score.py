# SPDX-License-Identifier: MIT
"""Makes itself the last to be killed."""
# needs: cgroup-memory
# limits: timeout=20 memory=96MiB
# expect: status out-of-memory
# expect: stdout ~ ^held score
own = int(read("/proc/self/oom_score_adj"))
for score in (-1000, -999, -1, own - 1):
    try:
        with open("/proc/self/oom_score_adj", "w") as f:
            f.write(str(score))
        check("score", int(read("/proc/self/oom_score_adj")) >= min(own, 0) or own <= score, score)
    except OSError as error:
        held("score", error)
kept = []
while True:
    kept.append(bytearray(2 << 20))
