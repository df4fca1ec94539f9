"""Draws a figure without a display and says how large the PNG is."""
import hashlib
import io
import math

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

x = [i / 50 for i in range(500)]
figure, axes = plt.subplots(figsize=(6, 3), dpi=100)
axes.plot(x, [math.sin(v) * math.exp(-v / 5) for v in x], label="damped")
axes.plot(x, [math.exp(-v / 5) for v in x], linestyle="--", label="envelope")
axes.set_xlabel("t")
axes.legend()

png = io.BytesIO()
figure.savefig(png, format="png", metadata={"Software": None})
data = png.getvalue()
print(f"matplotlib {matplotlib.__version__}: {len(data)} bytes of PNG, sha256 {hashlib.sha256(data).hexdigest()[:16]}")
