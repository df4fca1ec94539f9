from sympy import Eq, Function, dsolve, integrate, latex, pretty, symbols

x = symbols("x")
f = Function("f")
print(integrate(x**3 / (x**2 + 1), x))
print(dsolve(Eq(f(x).diff(x, 2) + f(x), 0), f(x)))
print(pretty(sum(x**k / k for k in range(1, 6)), use_unicode=True))
print(latex((x + 1) ** 5), ((x + 1) ** 5).expand())
