# environment: packages
import quiet
import quiet.part

print(quiet.value, quiet.part.where, quiet.__file__, quiet.__spec__.name, quiet.asked)
