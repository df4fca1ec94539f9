import sys

import requests

prepared = requests.Request("POST", "http://localhost:1/a b", params={"ž": [1, 2]}, json={"x": None}).prepare()
print(prepared.method, prepared.url, prepared.headers, prepared.body)
print("to stderr", file=sys.stderr)
requests.get("gopher://localhost")
