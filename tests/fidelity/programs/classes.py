import abc
import dataclasses
import enum
import functools
import typing


@dataclasses.dataclass(order=True)
class D:
    a: int
    b: list = dataclasses.field(default_factory=list)


class E(enum.Enum):
    A = 1
    B = enum.auto()


class P(typing.NamedTuple):
    x: int


class Abstract(abc.ABC):
    @abc.abstractmethod
    def f(self): ...


@functools.lru_cache
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


print(D(1), D(1) < D(2), list(E), P(1), fib(50), fib.cache_info(), typing.get_type_hints(D))
try:
    Abstract()
except TypeError as e:
    print(e)
print(D.__module__, [c.__name__ for c in Abstract.__mro__])
