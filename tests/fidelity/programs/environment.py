import os

print(sorted(os.environ.items()))
os.environ["NEW"] = "value ä"
os.system("echo $NEW $HOME $PATH")
os.putenv("BEHIND", "x")
print(os.environ.get("BEHIND"), os.getenv("LANG"))
print(open("/proc/self/environ", "rb").read().split(b"\0")[0][:5])
