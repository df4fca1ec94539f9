# stdin: "line for the child\nline for the parent\n"
import subprocess

subprocess.run(["/bin/sh", "-c", "read a; echo child got: $a"])
