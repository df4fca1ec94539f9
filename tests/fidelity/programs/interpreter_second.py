import _xxsubinterpreters as sub

i = sub.create()
sub.run_string(i, "print('in the second', __name__, flush=True)")
print(len(sub.list_all()))
