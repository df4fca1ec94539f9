import warnings

print([(f[0], f[2].__name__, f[3] and str(f[3])) for f in warnings.filters])
warnings.warn("a user warning")
warnings.warn("deprecated in main", DeprecationWarning)
warnings.warn("resource", ResourceWarning)
for _ in range(3):
    warnings.warn("once only")
warnings.simplefilter("error")
try:
    warnings.warn("as an error")
except UserWarning as e:
    print(repr(e))
print(sorted(k for k in __warningregistry__ if k != "version"))
