# SPDX-License-Identifier: MIT
"""Changes to the environment, the interpreter and the modules in use."""
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held open
# expect: stdout ~ ^held replace
import json
import os.path

real = os.path.realpath(sys.executable)
targets = [json.__file__, os.__file__, real, sys.prefix, sys.prefix + "/pyvenv.cfg", "/etc/passwd", os.path.dirname(json.__file__), "/nix/store"]
for path in targets:
    raises(f"open {path}", os.open, path, os.O_RDWR)
    raises(f"truncate {path}", os.truncate, path, 0)
    raises(f"chmod {path}", os.chmod, path, 0o777)
    raises(f"chown {path}", os.chown, path, os.getuid(), -1)
    raises(f"utime {path}", os.utime, path)
    raises(f"rename {path}", os.rename, path, path + ".old")
    raises(f"setxattr {path}", os.setxattr, path, "user.cuvette", b"x")
    raises(f"link {path}", os.link, path, os.path.dirname(path) + "/cuvette-escape")
    with open("/tmp/mine", "w") as f:
        f.write("x")
    raises(f"replace {path}", os.rename, "/tmp/mine", path)
    raises(f"memory {path}", lambda p: __import__("mmap").mmap(os.open(p, os.O_RDWR), 4096), path)
