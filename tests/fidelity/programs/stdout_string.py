import contextlib
import io
import sys

out = io.StringIO()
with contextlib.redirect_stdout(out):
    print("inside")
sys.stdout = out
print("to the string")
sys.__stdout__.write(out.getvalue())
