class D:
    def __init__(self, name):
        self.me, self.name = self, name

    def __del__(self):
        print("del", self.name, print.__name__)


for name in "abc":
    D(name)
kept = D("kept")
print("main")
