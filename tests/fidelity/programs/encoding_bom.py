print("with a byte order mark")
print("and other ends of lines")
