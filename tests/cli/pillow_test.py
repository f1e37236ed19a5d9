# SPDX-License-Identifier: MIT
"""Photos of every kind beside Pillow, within a grey level: pillow_test.py SHOW_PHOTO SCRATCH."""

import io
import itertools
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

try:
    from PIL import Image, ImageChops, features
except ImportError:
    print("skipped: Pillow is missing")
    sys.exit(77)

SHOW_PHOTO, SCRATCH = sys.argv[1], Path(sys.argv[2])
NO_LIMIT = 100_000_000
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
         4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
         6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}


def scene(width=53, height=37):
    """Ramps in all directions, and a block."""
    def pixel(x, y):
        if 5 < x < 20 and 9 < y < 22:
            return 200, 30, 60, 128
        return 4 * x % 256, 6 * y % 256, 2 * (x + y) % 256, 255 - 3 * x
    image = Image.new("RGBA", (width, height))
    image.putdata([pixel(x, y) for y in range(height) for x in range(width)])
    return image


RGBA = scene()
RGB = RGBA.convert("RGB")


def encoded(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


# ---- EXIF

def tiff(orientation, kind="SHORT", order="MM", tag=0x0112):
    """A TIFF block whose only entry is an orientation of the type `kind`."""
    mark = ">" if order == "MM" else "<"
    number, code = {"BYTE": (1, "Bxxx"), "SHORT": (3, "Hxx"), "LONG": (4, "I")}[kind]
    entry = struct.pack(mark + "HHI" + code, tag, number, 1, orientation)
    return order.encode() + struct.pack(mark + "HIH", 42, 8, 1) + entry + bytes(4)


def segment(marker, data):
    return struct.pack(">BBH", 0xff, marker, len(data) + 2) + data


def app1(*records):
    """A JPEG of the scene with these records in APP1 segments."""
    jpeg = encoded(RGB, "JPEG", quality=95)
    return jpeg[:2] + b"".join(segment(0xe1, record) for record in records) + jpeg[2:]


def raw_profile(name, record, chunk):
    text = f"\n{name}\n{len(record):8d}\n".encode()
    digits = record.hex().encode()
    text += b"".join(digits[i:i + 72] + b"\n" for i in range(0, len(digits), 72))
    key = f"Raw profile type {name}".encode() + b"\0"
    return {"zTXt": key + b"\0" + zlib.compress(text), "tEXt": key + text,
            "iTXt": key + b"\0\0\0\0" + text}[chunk]


def with_chunk(png, name, data, behind=False):
    """`png` with a chunk before or behind its pixels."""
    at = png.rindex(b"IEND") - 4 if behind else png.index(b"IDAT") - 4
    return png[:at] + chunk(name.encode(), data) + png[at:]


def webp_with_exif(record):
    """An extended WebP of the scene whose EXIF chunk is `record`, as it is."""
    webp = encoded(RGB, "WEBP", lossless=True, exif=b"Exif\0\0" + tiff(1))
    at = webp.index(b"EXIF")
    record += b"\0" * (len(record) % 2)
    body = webp[8:at] + b"EXIF" + struct.pack("<I", len(record)) + record
    return b"RIFF" + struct.pack("<I", len(body)) + body


# ---- PNG, of the kinds that Pillow does not write

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed(numbers, bits):
    if bits == 16:
        return struct.pack(f">{len(numbers)}H", *numbers)
    if bits == 8:
        return bytes(numbers)
    text = "".join(format(number, f"0{bits}b") for number in numbers)
    return bytes(int(text[i:i + 8].ljust(8, "0"), 2) for i in range(0, len(text), 8))


def png(size, bits, colour, pixels, interlaced, extra=b""):
    """`pixels[y][x]` is a tuple of numbers."""
    width, height = size
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
                  (0, 1, 1, 2)]
    rows = b""
    for x, y, dx, dy in passes:
        for line in pixels[y::dy]:
            if line[x::dx]:
                rows += b"\0" + packed([n for pixel in line[x::dx] for n in pixel], bits)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def scene_png(bits, colour, interlaced, transparent=False):
    """The scene with the channels of the PNG colour type, and its truth in 8 bits."""
    full = (1 << bits) - 1
    flat = list(zip(*[iter(RGBA.tobytes())] * 4))
    channels = {0: (0,), 2: (0, 1, 2), 3: (0,), 4: (0, 3), 6: (0, 1, 2, 3)}[colour]
    numbers = [tuple(pixel[c] * full // 255 for c in channels) for pixel in flat]
    shades = [[number * 255 / full for number in pixel] for pixel in numbers]
    extra = b""
    if colour == 3:
        palette = [(i * 7 % 256, i * 31 % 256, 255 - i * 13 % 256) for i in range(full + 1)]
        extra = chunk(b"PLTE", bytes(itertools.chain(*palette)))
        shades = [palette[pixel[0]] for pixel in numbers]
        if transparent:
            alphas = [255 - i * 5 % 256 for i in range(full + 1)]
            extra += chunk(b"tRNS", bytes(alphas))
            shades = [(*shade, alphas[pixel[0]]) for shade, pixel in zip(shades, numbers)]
    elif transparent:
        key = numbers[11 * RGBA.width + 7]
        extra = chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
        shades = [(*shade, 0 if pixel == key else 255) for shade, pixel in zip(shades, numbers)]
    if len(shades[0]) in (2, 4):
        shades = [[255 + (shade - 255) * pixel[-1] / 255 for shade in pixel[:-1]] for pixel in shades]
    truth = Image.new("RGB" if len(shades[0]) == 3 else "L", RGBA.size)
    truth.putdata([tuple(round(s) for s in shade) if len(shade) == 3 else round(shade[0])
                   for shade in shades])
    lines = [numbers[i:i + RGBA.width] for i in range(0, len(numbers), RGBA.width)]
    return png(RGBA.size, bits, colour, lines, interlaced, extra), truth


# ---- the cases: {name: (bytes, truth or the words of a refusal)}, for one limit of pixels

def opened(data):
    return Image.open(io.BytesIO(data))


def plain_cases():
    jpeg = {"quality=95": {"quality": 95, "subsampling": 0}, "420": {"subsampling": 2},
            "422": {"subsampling": 1}, "progressive": {"progressive": True}}
    for name, options in jpeg.items():
        yield f"{name}.jpg", encoded(RGB, "JPEG", **options), None
        yield f"grey_{name}.jpg", encoded(RGB.convert("L"), "JPEG", **options), None
    cmyk = encoded(RGB.convert("CMYK"), "JPEG", quality=95)
    yield "cmyk.jpg", cmyk, None
    adobe = cmyk.index(b"\xff\xee")
    ycck = bytearray(cmyk)
    ycck[adobe + 15] = 2
    yield "ycck.jpg", bytes(ycck), None
    length = 2 + int.from_bytes(cmyk[adobe + 2:adobe + 4], "big")
    for name, data in ("cmyk", cmyk), ("ycck", bytes(ycck)):
        yield f"{name}_no_adobe.jpg", data[:adobe] + data[adobe + length:], None
    rgb = encoded(RGB, "JPEG", quality=95)
    yield "adobe_rgb.jpg", rgb[:2] + segment(0xee, b"Adobe\0\x64\0\0\0\0\0") + rgb[2:], None
    sos = rgb.index(b"\xff\xda")
    odd = sos + 2 + int.from_bytes(rgb[sos + 2:sos + 4], "big") - 3
    for name, header in ("al", (0, 63, 1)), ("ss", (1, 63, 0)), ("se", (0, 0, 0)), ("all", (9, 5, 99)):
        yield f"sos_{name}.jpg", rgb[:odd] + bytes(header) + rgb[odd + 3:], None
    yield "padded_segments.jpg", rgb[:2] + b"\xff" * 9 + rgb[2:sos] + b"\0" * 7 + rgb[sos:], None
    yield "padded_end.jpg", rgb[:-2] + b"\0" * 12 + rgb[-2:], None
    yield "more_behind.jpg", rgb + b"something else" * 99, None
    yield "odd_jfif.jpg", rgb.replace(b"JFIF\0\x01", b"JFIF\0\x07"), None


def png_cases():
    kinds = [(0, b) for b in (1, 2, 4, 8, 16)] + [(3, b) for b in (1, 2, 4, 8)]
    kinds += [(c, b) for c in (2, 4, 6) for b in (8, 16)]
    for (colour, bits), interlaced in itertools.product(kinds, (False, True)):
        for transparent in (False, True) if colour in (0, 2, 3) else (False,):
            data, truth = scene_png(bits, colour, interlaced, transparent)
            yield f"png_{colour}_{bits}_{interlaced:d}_{transparent:d}.png", data, truth
    icc = encoded(RGB, "PNG", icc_profile=b"no profile at all")
    yield "icc.png", icc, RGB


def webp_cases():
    for name, options in ("lossy", {"quality": 80}), ("lossless", {"lossless": True}):
        yield f"{name}.webp", encoded(RGB, "WEBP", **options), None
        yield f"{name}_alpha.webp", encoded(RGBA, "WEBP", exact=True, **options), None


def exif_cases():
    exif = b"Exif\0\0"
    png_plain = encoded(RGB, "PNG")
    for orientation in range(1, 9):
        forms = itertools.product(("BYTE", "SHORT", "LONG"), ("MM", "II"))
        for kind, order in forms if orientation in (1, 6) else [("LONG", "MM")]:
            record = tiff(orientation, kind, order)
            name = f"exif_{orientation}_{kind}_{order}"
            yield orientation, f"{name}.jpg", app1(exif + record)
            yield orientation, f"{name}.png", with_chunk(png_plain, "eXIf", record)
            yield orientation, f"{name}.webp", webp_with_exif(record)
    record = tiff(6)
    none, other = exif + tiff(5, tag=0x0100), exif + tiff(3)
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x/>"
    yield 6, "exif_then_none.jpg", app1(exif + record, none)
    yield 6, "none_then_exif.jpg", app1(none, exif + record)
    yield 6, "xmp_exif_other.jpg", app1(xmp, exif + record, other)
    yield 6, "nonsense_then_exif.jpg", app1(exif + tiff(9), exif + record)
    yield 1, "nonsense.jpg", app1(exif + tiff(0), exif + tiff(77, "LONG"), exif[:3], exif, b"")
    yield 6, "prefixed.webp", webp_with_exif(exif + record)
    for behind in False, True:
        yield 6, f"prefixed_{behind}.png", with_chunk(png_plain, "eXIf", exif + record, behind)
        for name, form in itertools.product(("exif", "APP1"), ("zTXt", "tEXt", "iTXt")):
            for prefix in b"", exif:
                profile = raw_profile(name, prefix + record, form)
                yield (6, f"{name}_{form}_{len(prefix)}_{behind}.png",
                       with_chunk(png_plain, form, profile, behind))
    both = with_chunk(with_chunk(png_plain, "tEXt", raw_profile("exif", other, "tEXt")), "eXIf", record)
    yield 6, "chunk_before_profile.png", both
    bad = with_chunk(png_plain, "tEXt", b"Raw profile type exif\0\nexif\n  99\nzz")
    yield 1, "bad_profile.png", bad


def refusal_cases():
    names = {"GIF": "is a GIF", "BMP": "is a BMP", "TIFF": "is a TIFF", "PDF": "is a PDF",
             "ICO": "is an ICO", "PPM": "is a PNM", "DDS": "is a DDS"}
    if features.check("jpg_2000"):
        names["JPEG2000"] = "is a JPEG 2000"
    for form, words in names.items():
        yield f"other.{form}", encoded(RGB, form), words
    for brand, words in (b"heic", "a HEIC"), (b"avif", "an AVIF"), (b"isom", "a video"):
        yield f"{brand.decode()}.jpg", b"\0\0\0\x18ftyp" + brand + bytes(12), words
    yield "jxl.jpg", b"\xff\x0a" + bytes(30), "is a JPEG XL"
    yield "psd.jpg", b"8BPS\0\1" + bytes(30), "is a PSD"
    yield "svg.png", b"<?xml version='1.0'?>\n<svg/>", "is an SVG"
    yield "page.jpg", b"<!DOCTYPE html><html>404</html>", "is an HTML page"
    yield "text.jpg", b"a photo, in words", "is a text"
    yield "empty.jpg", b"", "is empty"
    yield "noise.jpg", bytes(range(7, 99)), "neither a JPEG"
    frames = [RGB, RGB.rotate(180)]
    yield ("animated.webp", encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
           "an animated WebP")
    whole = [encoded(RGB, "JPEG"), encoded(RGB, "JPEG", progressive=True), encoded(RGB, "PNG"),
             scene_png(8, 6, True)[0], encoded(RGB, "WEBP"), encoded(RGBA, "WEBP", lossless=True)]
    for i, data in enumerate(whole):
        for twentieth in range(2, 20):
            yield f"cut_{i}_{twentieth}", data[:len(data) * twentieth // 20], "truncated|damaged"


def over_white(image):
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "CMYK":
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"),
                                 image.convert("RGBA")).convert("RGB")


def show(cases, most):
    """What the program makes of each file."""
    files = []
    for name, data in cases:
        files.append(SCRATCH / name)
        files[-1].write_bytes(data)
    subprocess.run([SHOW_PHOTO, str(most), *map(str, files)], check=True)
    return [Path(f"{file}.shown").read_bytes() for file in files]


def as_image(shown):
    """The image and its full (width, height)."""
    line, _, data = shown.partition(b"\n")
    height, width, channels, full_height, full_width = map(int, line.split())
    image = Image.frombytes("L" if channels == 1 else "RGB", (width, height), data)
    return image, (full_width, full_height)


FAILURES = []


def compare(name, shown, truth, within=1, full=None):
    if shown.startswith(b"refused"):
        FAILURES.append(f"{name}: {shown.decode()}")
        return
    image, full_size = as_image(shown)
    if image.mode == "L":
        truth = truth.convert("L")
    if image.size != truth.size or full_size != (full or truth.size):
        FAILURES.append(f"{name}: {image.size} of {full_size}, not {truth.size}")
        return
    extrema = ImageChops.difference(image, truth.convert(image.mode)).getextrema()
    worst = extrema[1] if image.mode == "L" else max(high for _, high in extrema)
    if worst > within:
        FAILURES.append(f"{name}: {worst} levels from the truth")


def test_kinds():
    cases = [*plain_cases(), *png_cases(), *webp_cases()]
    shown = show([case[:2] for case in cases], NO_LIMIT)
    for (name, data, truth), result in zip(cases, shown):
        compare(name, result, truth or over_white(opened(data)))
    return len(cases)


def test_orientations():
    cases = list(exif_cases())
    for (orientation, name, _), shown in zip(cases, show([case[1:] for case in cases], NO_LIMIT)):
        stored = opened(app1()).convert("RGB") if name.endswith("jpg") else RGB
        compare(name, shown, stored.transpose(TURNS[orientation]) if orientation > 1 else stored)
    return len(cases)


def test_refusals():
    cases = list(refusal_cases())
    for (name, _, words), shown in zip(cases, show([case[:2] for case in cases], NO_LIMIT)):
        text = shown.decode("latin-1")
        if not text.startswith("refused: photo: ") or not any(w in text for w in words.split("|")):
            FAILURES.append(f"{name}: {text[:200]!r} instead of a refusal: {words}")
        elif "; " not in text:
            FAILURES.append(f"{name}: no remedy: {text}")
    return len(cases)


def test_scaled():
    """A quarter of the pixels: means of PNGs, libjpeg's and libwebp's own scaling."""
    smooth = Image.linear_gradient("L").resize((300, 201)).convert("RGB")
    half = (150, 101)
    most = half[0] * half[1]
    odd = encoded(smooth, "PNG")
    jpeg = encoded(smooth, "JPEG", quality=95)
    draft = opened(jpeg)
    draft.draft("RGB", (150, 100))
    turned = jpeg[:2] + segment(0xe1, b"Exif\0\0" + tiff(6)) + jpeg[2:]
    cases = [("scaled.png", odd, smooth.reduce(2), 1), ("scaled.jpg", jpeg, draft, 1),
             ("scaled.webp", encoded(smooth, "WEBP", lossless=True), smooth.reduce(2), 3),
             ("turned.jpg", turned, draft.transpose(TURNS[6]), 1)]
    for (name, _, truth, within), shown in zip(cases, show([case[:2] for case in cases], most)):
        full = smooth.size[::-1] if name == "turned.jpg" else smooth.size
        compare(name, shown, truth, within, full)
    data, truth = scene_png(16, 6, True)
    shown = show([("scaled_interlaced.png", data)], 19 * 27)[0]
    compare("scaled_interlaced.png", shown, truth.reduce(2), 1, truth.size)
    return len(cases) + 1


shutil.rmtree(SCRATCH, ignore_errors=True)
SCRATCH.mkdir(parents=True)
count = test_kinds() + test_orientations() + test_refusals() + test_scaled()
print(*FAILURES, sep="\n")
print(f"{count} photos, {len(FAILURES)} failures")
sys.exit(1 if FAILURES else 0)
