import sys

import watch

watch.run()
f = open("f.txt", "w")
f.write("before the error")
if len(sys.argv) == 1:
    raise ValueError("main ends")
