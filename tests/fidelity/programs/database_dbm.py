import dbm.dumb
import shelve

import watch

watch.run()
d = dbm.dumb.open("d", "c")
d["a"] = "1"
s = shelve.Shelf(d)
s["k"] = [1, 2]
