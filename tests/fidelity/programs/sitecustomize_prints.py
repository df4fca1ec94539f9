# environment: talking
# way: cold
print("main")
