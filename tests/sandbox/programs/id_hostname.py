# SPDX-License-Identifier: MIT
"""The host's name is not shown and no name can be set."""
# args: {hostname}
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held name
import socket

check("name", os.uname().nodename != sys.argv[1] and socket.gethostname() != sys.argv[1], os.uname().nodename)
refused("sethostname", 170, b"cuvette-escape", 14)
refused("setdomainname", 171, b"cuvette-escape", 14)
