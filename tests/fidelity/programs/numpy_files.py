# environment: numpy
import numpy

import watch

watch.run()
m = numpy.memmap("m.bin", dtype="int32", mode="w+", shape=(4,))
m[:] = [1, 2, 3, 4]
numpy.save("a.npy", numpy.arange(3))
f = open("t.txt", "w")
numpy.savetxt(f, numpy.eye(2))
