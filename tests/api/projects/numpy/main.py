import numpy as np

rng = np.random.default_rng(7)
matrix = rng.normal(size=(40, 40))
print(np.round(np.linalg.eigvalsh(matrix @ matrix.T)[:5], 6))
print(np.fft.rfft(np.arange(8.0)), np.einsum("ij,ij->", matrix, matrix).round(6))
print(np.array2string(rng.integers(0, 100, (3, 4))), np.show_config.__module__, np.__version__)
