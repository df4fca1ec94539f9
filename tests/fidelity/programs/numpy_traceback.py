# environment: numpy
import numpy

numpy.linalg.inv(numpy.zeros((2, 2)))
