#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The self-attention of an ONNX vision transformer for photos, as files for diffseg.

    export_onnx.py vit.onnx cat.jpg dog.jpg -o out --preset dinov2
    segment --attention out/cat.json --image cat.jpg

Finds the soft-maxes of self-attention by the shape of the graph, runs it with ONNX Runtime, leaves
out class and register tokens and writes out/cat.npz and the manifest out/cat.json. A short
program over `diffseg.onnx`, of which it needs no built extension; needs onnx, onnxruntime and pillow.
docs/real_attention.md explains the choices.
"""
import argparse
import os
import sys

import checkout  # noqa: F401  # finds the modules of the package
from diffseg._recording import RecordError, photo_stem
from diffseg.onnx import EXTRA, IMAGENET, KINDS, Model


def numbers(text):
    """Three numbers, one for each colour."""
    values = tuple(float(part) for part in text.split(","))
    if len(values) != 3:
        raise argparse.ArgumentTypeError(f"must be three numbers, got {text}")
    return values


def sizes(text):
    """N or HxW, both above 0."""
    sides = text.split("x")
    if len(sides) > 2 or not all(side.isdigit() and int(side) > 0 for side in sides):
        raise argparse.ArgumentTypeError(f"must be N or HxW, got {text}")
    return tuple(map(int, sides)) if len(sides) == 2 else int(text)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="an ONNX vision transformer")
    parser.add_argument("photos", nargs="+", metavar="photo")
    parser.add_argument("-o", "--output", default=".", metavar="DIR",
                        help="folder of the results, made when missing (default: here)")
    parser.add_argument("--preset", metavar="NAME",
                        help="the manifest's model; dinov2 takes its layers 6-8 of 12 and lets segment "
                             "know the threshold (default: the model's file name)")
    parser.add_argument("--layers",
                        help="all, or as 6-8 or 2,5-7, from 0 (default: the preset's, or all)")
    parser.add_argument("--kind", choices=KINDS,
                        help="what is written: queries and keys, scores, or the mean over heads and "
                             "layers (default: queries and keys where they are all there is)")
    parser.add_argument("--size", type=sizes, metavar="N|HxW",
                        help="of the photo as the model gets it: the longer side, or both (default: "
                             "the model's own, or else 518)")
    parser.add_argument("--patch", type=int, metavar="N",
                        help="side of a patch in pixels (default: from the graph)")
    parser.add_argument("--skip", type=int, metavar="N",
                        help="class and register tokens in front (default: what the grid leaves over, "
                             f"one of {EXTRA})")
    parser.add_argument("--mean", type=numbers, default=IMAGENET[0], metavar="R,G,B",
                        help="taken from the colours, 0..1 (default: ImageNet's)")
    parser.add_argument("--std", type=numbers, default=IMAGENET[1], metavar="R,G,B",
                        help="divides them then (default: ImageNet's)")
    parser.add_argument("--half", action="store_true", help="float16 instead of float32")
    options = parser.parse_args(arguments)
    if (options.patch or 1) < 1 or (options.skip or 0) < 0 or 0 in options.std:
        parser.error("--patch must be >= 1, --skip >= 0, --std not 0")
    return options


def make_model(options):
    """The model of parse()."""
    return Model(options.model, preset=options.preset, layers=options.layers, kind=options.kind,
                 size=options.size, patch=options.patch, skip=options.skip, mean=options.mean,
                 std=options.std)


def export(model, photo, folder, options):
    """-> the manifest's path."""
    return model.record(photo).save(os.path.join(folder, photo_stem(photo)), half=options.half)


def main():
    options = parse()
    try:
        stems = [photo_stem(photo) for photo in options.photos]
        twice = {stem for stem in stems if stems.count(stem) > 1}
        if twice:
            raise RecordError(f"several photos would write {sorted(twice)[0]}.json; call them apart")
        model = make_model(options)
        os.makedirs(options.output, exist_ok=True)
    except (RecordError, OSError) as error:
        sys.exit(f"export_onnx: {error}")
    failed = False
    for photo in options.photos:
        try:
            print(export(model, photo, options.output, options), flush=True)
        except (RecordError, OSError, MemoryError) as error:
            print(f"export_onnx: {error}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
