import ctypes
import mmap

libc = ctypes.CDLL(None)
print(libc.strlen(b"four"), ctypes.sizeof(ctypes.c_long))
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
array = (ctypes.c_int * 4)(3, 1, 4, 1)
libc.qsort(array, 4, 4, compare(lambda x, y: x[0] - y[0]))
print(list(array))
m = mmap.mmap(-1, 4096)
m.write(b"in memory")
print(m[:9], ctypes.pythonapi.Py_IsInitialized(), bool(ctypes.pythonapi.Py_GetVersion))
