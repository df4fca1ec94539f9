# SPDX-License-Identifier: MIT
"""Bytes that are no UTF-8, zero bytes, escape sequences, half characters."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^begin
# expect: stdout ~ end$
import os

os.write(1, b"begin\n\xff\xfe\x00\xc3\x1b[2J\x1b]0;title\x07\xed\xa0\x80\xf4\x90\x80\x80\"}]\\\nend")
os.write(2, b"\x80" * 100 + b"\xe2\x82")
