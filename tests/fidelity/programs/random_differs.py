# way: differs
import os
import random
import secrets
import ssl
import tempfile
import uuid

print(random.random(), random.getrandbits(64), random.Random().random(), random.SystemRandom().random())
print(uuid.uuid4(), secrets.token_hex(8), os.urandom(8).hex(), next(tempfile._get_candidate_names()))
print(ssl.RAND_bytes(16).hex(), [random.randrange(10**15) for _ in range(5)])
