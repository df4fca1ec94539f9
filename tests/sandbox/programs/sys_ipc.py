# SPDX-License-Identifier: MIT
"""System V and POSIX message objects, which outlive their makers."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held shmget
refused("shmget", 29, 0x637576, 4096, 0o1600)
refused("shmat", 30, 0, 0, 0)
refused("shmctl", 31, 0, 14, 0)
refused("semget", 64, 0x637576, 1, 0o1600)
refused("semop", 65, 0, 0, 0)
refused("semctl", 66, 0, 0, 18, 0)
refused("msgget", 68, 0x637576, 0o1600)
refused("msgsnd", 69, 0, 0, 0, 0)
refused("msgctl", 71, 0, 12, 0)
refused("mq_open", 240, b"cuvette-escape", 0o102, 0o600, 0)
refused("mq_unlink", 241, b"cuvette-escape")
