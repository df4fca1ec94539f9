import hashlib
import io

from PIL import Image, ImageDraw, ImageFilter, features

image = Image.new("RGB", (160, 90), "navy")
draw = ImageDraw.Draw(image)
draw.ellipse((20, 10, 120, 80), fill="orange", outline="white", width=3)
draw.text((40, 30), "Cuvette", fill="black")
for kind in ("PNG", "JPEG", "WEBP", "GIF"):
    out = io.BytesIO()
    image.save(out, kind)
    back = Image.open(io.BytesIO(out.getvalue())).convert("RGB").filter(ImageFilter.GaussianBlur(2)).resize((40, 20))
    print(kind, len(out.getvalue()), hashlib.sha256(back.tobytes()).hexdigest()[:16])
print([name for name in ("jpg", "zlib", "libtiff", "freetype2", "webp") if features.check(name)])
