# environment: packages
import prints

print(prints.value)
