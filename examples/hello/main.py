"""Says hello from a sealed run: what is installed, and where we are."""
import os
import platform
import sys
from importlib.metadata import distributions

import requests

print(f"hello from requests {requests.__version__} on Python {platform.python_version()}")
print("installed:", ", ".join(sorted(f"{d.name} {d.version}" for d in distributions())))
print(f"user {os.getuid()}, folder {os.getcwd()}, arguments {sys.argv[1:]}")
try:
    requests.get("http://192.0.2.1/", timeout=1)
except requests.ConnectionError:
    print("and there is no network in here")
