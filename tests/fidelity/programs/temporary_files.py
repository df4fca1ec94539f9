import os
import tempfile

folder = tempfile.TemporaryDirectory(prefix="kept-", dir="/box")
file = tempfile.NamedTemporaryFile(dir="/box", prefix="named-")
print(len(os.listdir("/box")), tempfile.gettempdir())
spooled = tempfile.SpooledTemporaryFile()
spooled.write(b"x")
