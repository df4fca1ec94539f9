# SPDX-License-Identifier: MIT
"""POSIX and System V names that the victim made."""
# with: victim
# args: {secret}
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held posix
raises("posix", os.open, "/dev/shm/cuvette-victim-" + sys.argv[1], os.O_RDWR)
check("empty", os.listdir("/dev/shm") == [], os.listdir("/dev/shm"))
