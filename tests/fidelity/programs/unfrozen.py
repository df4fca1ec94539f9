import gc

gc.unfreeze()
print(gc.get_freeze_count())


class D:
    def __del__(self):
        print("del")


d = D()
