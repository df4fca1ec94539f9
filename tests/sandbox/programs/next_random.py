# SPDX-License-Identifier: MIT
"""What is random must not be so in the same way for two runs of one origin."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^[0-9a-f]
import random
import secrets
import tempfile
import uuid

print(random.getrandbits(64), secrets.token_hex(8), uuid.uuid4().hex, os.urandom(8).hex(), next(tempfile._get_candidate_names()), flush=True)
# ---- the next run
# args: {output}
import random
import secrets
import tempfile
import uuid

mine = f"{random.getrandbits(64)} {secrets.token_hex(8)} {uuid.uuid4().hex} {os.urandom(8).hex()} {next(tempfile._get_candidate_names())}"
same = set(mine.split()) & set(sys.argv[1].split())
check("random", not same and len(sys.argv[1].split()) == 5, same)
