import weakref


class A:
    pass


keys, values, members = weakref.WeakKeyDictionary(), weakref.WeakValueDictionary(), weakref.WeakSet()
a = A()
keys[a] = 1
values["a"] = a
members.add(a)
print(len(keys), len(values), len(members))
