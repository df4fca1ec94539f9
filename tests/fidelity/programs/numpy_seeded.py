# environment: numpy
import numpy

numpy.random.seed(3)
print(numpy.random.rand(3), numpy.random.RandomState(4).rand(), numpy.random.default_rng(5).random())
