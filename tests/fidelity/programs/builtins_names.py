import builtins

print(sorted(vars(builtins)))
print(exit, quit, copyright, credits, license, help, sep="\n")
