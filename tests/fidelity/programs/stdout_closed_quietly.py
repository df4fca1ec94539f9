import sys

sys.stdout.write("written before it closes")
sys.stdout.close()
