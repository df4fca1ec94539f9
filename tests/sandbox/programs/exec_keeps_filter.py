# SPDX-License-Identifier: MIT
"""Programs from memory, copied programs, an empty argument list: the seal stays on."""
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held copied
# expect: stdout ~ ^held memfd
import shutil
import subprocess

TELL = ("import ctypes;l=ctypes.CDLL(None,use_errno=True);t=open('/proc/self/status').read();"
        "print([x.split()[1] for x in t.splitlines() if x.split(':')[0] in ('CapEff','CapPrm','NoNewPrivs','Seccomp')],"
        "l.unshare(0x10000000), ctypes.get_errno() in (1,38))")
WANT = "['0000000000000000', '0000000000000000', '1', '2'] -1 True"
real = os.path.realpath(sys.executable)
text = subprocess.run([sys.executable, "-I", "-c", TELL], capture_output=True, text=True).stdout.strip()
check("child", text == WANT, text)
for folder in ("/tmp", "/dev/shm", "/box", "/home/cuvette"):
    try:
        shutil.copy(real, folder + "/copy")
        os.chmod(folder + "/copy", 0o755)
        text = subprocess.run([folder + "/copy", "-IS", "-c", TELL], capture_output=True, text=True, env={"PYTHONHOME": sys.base_prefix}).stdout.strip()
        check(f"copied {folder}", text in (WANT, ""), text)
    except OSError as error:
        held(f"copied {folder}", error)
fd = os.memfd_create("program")
os.write(fd, read(real, 1 << 26))
try:
    text = subprocess.run([f"/proc/self/fd/{fd}", "-IS", "-c", TELL], capture_output=True, text=True, pass_fds=(fd,)).stdout.strip()
    check("memfd", text in (WANT, ""), text)
except OSError as error:
    held("memfd", error)
