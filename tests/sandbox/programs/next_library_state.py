# SPDX-License-Identifier: MIT
"""State that libraries keep: locale, time zone, decimal, warnings, logging, recursion."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^changed
import decimal
import locale
import logging
import time
import tracemalloc
import warnings

os.environ["TZ"] = "Pacific/Kiritimati"
time.tzset()
locale.setlocale(locale.LC_ALL, "C")
decimal.getcontext().prec = decimal.DefaultContext.prec = 3
warnings.simplefilter("error")
logging.disable(logging.CRITICAL)
logging.raiseExceptions = False
sys.setrecursionlimit(60)
sys.setswitchinterval(100)
sys.set_int_max_str_digits(640)
tracemalloc.start(20)
sys.flags_of_escape = sys.cuvette_escape = 1
os.write(1, b"changed\n")
os._exit(0)
# ---- the next run
import decimal
import logging
import time
import tracemalloc
import warnings

check("time zone", time.timezone == 0 and "TZ" not in os.environ, time.tzname)
check("decimal", decimal.getcontext().prec == 28)
check("warnings", not [f for f in warnings.filters if f[0] == "error"])
check("logging", logging.root.manager.disable == 0 and logging.raiseExceptions)
check("interpreter", sys.getrecursionlimit() == 1000 and sys.getswitchinterval() < 1 and not tracemalloc.is_tracing())
