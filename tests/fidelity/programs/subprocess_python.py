import subprocess
import sys

code = "import sys; print(sys.argv, sys.flags.safe_path, sys.prefix, sys.path); sys.stderr.write('err'); sys.exit(4)"
p = subprocess.run([sys.executable, "-c", code, "a"], capture_output=True, text=True)
print(p)
