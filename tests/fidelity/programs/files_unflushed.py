import watch

watch.run()
f = open("global.txt", "w")
f.write("unflushed\n" * 3)
b = open("binary.bin", "wb")
b.write(bytes(range(256)))
raw = open("raw.bin", "wb", buffering=0)
raw.write(b"raw")
held = {"deep": [(open("held.txt", "w"),)]}
held["deep"][0][0].write("in a dictionary")
