def inner(n):
    if n == 0:
        raise KeyError("deep")
    inner(n - 1)


def outer():
    try:
        inner(3)
    except KeyError as e:
        try:
            1 / 0
        except ZeroDivisionError:
            raise RuntimeError("first", "second") from e


class Own(Exception):
    def __str__(self):
        return "an own text\nof two lines"


try:
    outer()
except RuntimeError as e:
    e.add_note("a note")
    raise Own() from e
