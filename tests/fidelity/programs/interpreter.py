import sys
import sysconfig

print(sys.version, sys.executable, sys._base_executable, sys.prefix, sys.base_prefix, sys.exec_prefix, sep="\n")
print(sys.path, sys.flags, sys.warnoptions, sys._xoptions, sys.platlibdir, sep="\n")
print(sys.byteorder, sys.maxsize, sys.hash_info, sys.float_info, sys.int_info, sys.thread_info, sys.implementation, sep="\n")
print(sys.builtin_module_names, sorted(sys.stdlib_module_names), sep="\n")
print(sys.getdefaultencoding(), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), sys.getrecursionlimit())
print(sys.getswitchinterval(), sys.dont_write_bytecode, sys.pycache_prefix, sys.getdlopenflags(), sys.is_finalizing())
print(sorted(sysconfig.get_paths().items()))
print(sys.meta_path, sys.path_hooks)
