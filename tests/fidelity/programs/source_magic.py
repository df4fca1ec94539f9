print(open(__file__).read())
print(compile(open(__file__).read(), __file__, "exec").co_names)
