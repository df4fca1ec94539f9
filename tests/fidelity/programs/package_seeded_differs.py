# environment: packages
# way: differs
import random
import ssl
import uuid

import seeded

print(ssl.RAND_bytes(16).hex(), random.random(), uuid.uuid4(), ssl.RAND_bytes(4).hex())
