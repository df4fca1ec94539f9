import random

random.seed(5)
print(random.random(), random.sample(range(100), 5), random.gauss(0, 1))
