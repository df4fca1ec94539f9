import csv
import json

import watch

watch.run()
out = open("t.csv", "w", newline="")
writer = csv.writer(out)
writer.writerows([[1, "a,b"], [2, 'q"']])
json.dump({"a": [1, 2]}, open("t.json", "w"))
