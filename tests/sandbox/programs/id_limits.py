# SPDX-License-Identifier: MIT
"""Hard limits stay, whoever asks."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held core
import resource

for name in ("RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_RTPRIO", "RLIMIT_NICE"):
    number = getattr(resource, name, {"RLIMIT_NICE": 13}.get(name))
    soft, hard = resource.getrlimit(number)
    short = name[7:].lower()
    if hard == resource.RLIM_INFINITY:
        hole(short, "no hard limit")
        continue
    try:
        resource.setrlimit(number, (soft, hard + 1))
        check(short, resource.getrlimit(number)[1] <= hard, "as it was")
    except (OSError, ValueError) as error:
        held(short, error)
check("no core file", resource.getrlimit(resource.RLIMIT_CORE)[1] <= 1)
check("no real time", resource.getrlimit(resource.RLIMIT_RTPRIO)[1] == 0)
