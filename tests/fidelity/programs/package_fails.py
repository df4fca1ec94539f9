# environment: packages
try:
    import fails
except ValueError as e:
    print(e)
import fails.part
