import os
import sys

for f in (sys.stdin, sys.stdout, sys.stderr):
    print(f, f.encoding, f.errors, f.newlines, f.line_buffering, f.write_through, f.closed, f.isatty(), f.seekable(),
          f.readable(), f.writable(), f.name, f.mode, f.fileno(), f.buffer.raw, type(f.buffer).__name__)
    print(os.get_blocking(f.fileno()), os.get_inheritable(f.fileno()), f.buffer.raw.closefd)
for f in (sys.stdin, sys.stdout):
    try:
        print(f.tell())
    except OSError as e:
        print(e)
