import sys


class Odd:
    def write(self, s):
        return sys.__stdout__.write(s.upper())

    def flush(self):
        raise ValueError("flush of an odd stream")


sys.stdout = Odd()
print("shouting")
