import inspect
import linecache


class C:
    def method(self):
        return 1  # a comment


def f(a, *, b=2):
    """Doc."""
    return a


print(inspect.getsource(C), inspect.getsource(f), inspect.signature(f), inspect.getfile(f), inspect.getmodule(f))
print(inspect.currentframe().f_code.co_filename, linecache.getline(__file__, 1), inspect.stack()[0].code_context)
