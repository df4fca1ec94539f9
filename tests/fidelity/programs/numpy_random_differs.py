# environment: numpy
# way: differs
import numpy

print(numpy.random.rand(), numpy.random.randint(1 << 40), numpy.random.default_rng().random(), numpy.random.get_state()[1][0])
