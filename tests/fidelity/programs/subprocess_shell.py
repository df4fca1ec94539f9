import os
import subprocess

print(subprocess.check_output("echo $0 $HOME; umask; pwd", shell=True, text=True))
print(os.system("exit 3"), subprocess.call(["/bin/false"]) if os.path.exists("/bin/false") else 1)
try:
    subprocess.run(["not-there"])
except FileNotFoundError as e:
    print(e)
subprocess.run(["/bin/sh", "-c", "echo to stdout; echo to stderr >&2"])
