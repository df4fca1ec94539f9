import hashlib
import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(0, 6, 200)
figure, axes = plt.subplots(1, 2, figsize=(6, 3))
axes[0].plot(x, np.sin(x), label="$\\sin x$")
axes[0].legend()
axes[1].imshow(np.outer(np.cos(x), np.sin(x)))
axes[1].set_title("žluťoučký")
figure.canvas.draw()
pixels = np.asarray(figure.canvas.buffer_rgba())
print(matplotlib.get_backend(), pixels.shape, hashlib.sha256(pixels.tobytes()).hexdigest())
out = io.BytesIO()
figure.savefig(out, format="svg", metadata={"Date": None})
print(out.getvalue().count(b"<path"))
