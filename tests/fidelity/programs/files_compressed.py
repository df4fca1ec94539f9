import bz2
import gzip
import lzma
import zipfile

import watch

watch.run()
z = zipfile.ZipFile("a.zip", "w")
z.writestr(zipfile.ZipInfo("in.txt", (2020, 1, 1, 0, 0, 0)), "content")
g = gzip.GzipFile("a.gz", "wb", mtime=0)
g.write(b"gzip" * 10)
b = bz2.open("a.bz2", "wb")
b.write(b"bz2" * 10)
x = lzma.open("a.xz", "wt")
x.write("lzma" * 10)
