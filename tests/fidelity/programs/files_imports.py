# with: helper.py
import os

import helper

print(helper.__file__, helper.__cached__, helper.__spec__.origin, helper.twice(4))
for folder, folders, files in os.walk("."):
    folders.sort()
    print(folder, sorted(files))
