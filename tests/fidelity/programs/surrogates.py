import sys

sys.stdout.write("\udcff ä \udc80 \U0001f600 \n")
print(ascii("\udcff".encode(sys.stdout.encoding, sys.stdout.errors)))
print("\ud800")
