"""The program goes on in a child; this process waits for it, and tells how it ended and
what it left in the working folder: also what was written when its interpreter ended."""
import hashlib
import os


def run():
    pid = os.fork()
    if pid == 0:
        return
    lines = [f"ended with {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}"]
    for folder, folders, files in os.walk("."):
        folders[:] = sorted(f for f in folders if f != "__pycache__")
        for name in sorted(files):
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                data = file.read()
            lines.append(f"{path} {oct(os.stat(path).st_mode)} {len(data)} {hashlib.sha256(data).hexdigest()[:16]}")
    os.write(1, "\n".join(lines).encode() + b"\n")
    os._exit(0)
