import warnings

warnings.simplefilter("always")
f = open("/dev/null")
del f
g = open("/dev/null")
print("main")
