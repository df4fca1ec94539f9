# environment: numpy
import numpy

print(numpy.arange(1000).sum(), numpy.__version__, numpy.linalg.norm(numpy.ones(9)), numpy.get_printoptions(), numpy.geterr())
print(numpy.ones((2, 2)) / 0)
