import contextvars
import decimal
import fractions

v = contextvars.ContextVar("v", default=1)
print(v.get(), len(contextvars.copy_context()), decimal.getcontext(), fractions.Fraction(1, 3))
decimal.getcontext().prec = 5
print(decimal.Decimal(1) / 3)
