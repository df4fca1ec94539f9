import __main__

print(sorted(vars()))
print(__name__, __file__, __doc__, __package__, __spec__, __cached__, __annotations__, __builtins__)
print(type(__loader__), __loader__.name, __loader__.path, __loader__.get_filename("__main__"))
print(vars(__main__) is globals())
x: int = 3
print(__annotations__)
