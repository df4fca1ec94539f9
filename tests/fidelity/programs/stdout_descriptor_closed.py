import os

print("lost, and complained about")
os.close(1)
