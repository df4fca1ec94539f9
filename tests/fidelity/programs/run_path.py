# with: helper.py
import runpy
import sys

print(sorted(runpy.run_path("helper.py", run_name="named"))[-1], sys.argv)
runpy.run_module("this", run_name="not_main")
