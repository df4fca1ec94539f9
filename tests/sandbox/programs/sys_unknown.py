# SPDX-License-Identifier: MIT
"""Numbers of calls that do not exist yet, or only in a newer kernel: refused, not passed on."""
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held unknown
# Calls that kernels after 6.1 have and that do no more than older ones: extended
# attributes by folder descriptor, file attributes, and the probes' own return.
KNOWN = {336, 463, 464, 465, 466, 468}
hit = []
for number in list(range(336, 424)) + list(range(463, 1100)):
    if number in KNOWN:
        continue
    status = in_child(lambda: 42 if syscall(number, 0, 0, 0, 0, 0, 0)[1] not in REFUSALS else 7)
    if status not in (7, -signal.SIGSYS):
        hit.append((number, status))
check("unknown", not hit, hit[:10])
for number, name in ((444, "landlock_create_ruleset"), (450, "set_mempolicy_home_node"), (457, "statmount"), (458, "listmount"), (459, "lsm_get_self_attr")):
    result, error = syscall(number, 0, 0, 0, 0, 0, 0)
    check(name, result == -1, error)
