import watch

watch.run()


class Holder:
    def __init__(self, name):
        self.file, self.me = open(name, "w"), self
        self.file.write(name + " was written\n")


Holder("dead.txt")
kept = Holder("kept.txt")


class Closes(Holder):
    def __del__(self):
        self.file.write("by __del__\n")
        self.file.close()


closes = Closes("closes.txt")
