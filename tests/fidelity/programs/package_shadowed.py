# environment: packages
# with: quiet.py
import quiet

print(quiet.__file__, quiet.own)
