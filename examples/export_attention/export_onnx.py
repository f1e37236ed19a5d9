#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The self-attention of an ONNX vision transformer for photos, as files for diffseg.

    export_onnx.py vit.onnx cat.jpg dog.jpg -o out --preset dinov2
    segment --attention out/cat.json --image cat.jpg

Finds the soft-maxes of self-attention by the shape of the graph, runs it with ONNX Runtime, leaves
out class and register tokens and writes out/cat.npz and the manifest out/cat.json. Needs onnx,
onnxruntime and pillow; docs/real_attention.md explains the choices.
"""
import argparse
import math
import os
import sys

import numpy

import onnx_graph
from attention_files import (ExportError, fit_sides, photo_stem, pixels, read_photo,
                             write_attention)

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
TYPES = {"tensor(float)": numpy.float32, "tensor(float16)": numpy.float16,
         "tensor(double)": numpy.float64}
EXTRA = (0, 1, 2, 4, 5)  # class, class and distilled, four registers, class and four registers
# By the manifest's "model": the layers to take, of how many.
PRESETS = {"dinov2": (6, 8, 12)}


def choose_layers(text, preset, count):
    """`--layers` -> indices, counted from 0: "all", "6-8", "2,5-7"; the preset's where not given."""
    if text is None and preset in PRESETS:
        first, last, of = PRESETS[preset]
        first, end = first * count // of, (last + 1) * count // of
        return list(range(first, max(first + 1, end)))
    if text in (None, "all"):
        return list(range(count))
    chosen = []
    for part in text.split(","):
        ends = part.split("-")
        if len(ends) > 2 or not all(end.isdigit() for end in ends):
            raise ExportError(f"--layers: must be all, or as 6-8 or 2,5-7, got {text}")
        chosen += range(int(ends[0]), int(ends[-1]) + 1)
    if not chosen or max(chosen) >= count:
        raise ExportError(f"--layers: the model has layers 0 to {count - 1}, got {text}")
    return sorted(set(chosen))


def grid_of(tokens, sides, patch, skip):
    """-> (rows, columns) and the number of tokens in front of the cells."""
    patches = range(2, min(sides) + 1) if patch is None else [patch << level for level in range(4)]
    fits = []
    for side in patches:
        extra = tokens - (sides[0] // side) * (sides[1] // side)
        divides = sides[0] % side == 0 and sides[1] % side == 0
        if divides and (extra == skip if skip is not None else extra in EXTRA):
            fits.append(((sides[0] // side, sides[1] // side), extra))
    if len(fits) == 1 or (fits and patch is not None):
        return fits[0]
    found = f"{tokens} tokens for {sides[0]} x {sides[1]} pixels"
    if fits:
        raise ExportError(f"{found} have several grids; give the side of a patch, --patch")
    if patch is None:
        raise ExportError(f"{found} are no grid of square patches, with or without {EXTRA} tokens in "
                          "front; give the side of a patch and these tokens, --patch and --skip")
    if sides[0] % patch or sides[1] % patch:
        raise ExportError(f"the photo's sides must be multiples of the patch of {patch} pixels, got "
                          f"{sides[0]} x {sides[1]}; see --size and --patch")
    cells = (sides[0] // patch) * (sides[1] // patch)
    raise ExportError(f"{found} are no grid: patches of {patch} pixels are {cells} cells; give the "
                      "tokens in front with --skip, or another --patch (attention in windows has "
                      "no grid)")


class Exporter:
    """One model, ready for photos of any size that it takes."""

    def __init__(self, path, options):
        self.path, self.options = path, options
        model = onnx_graph.load_model(path)
        self.image, dims = onnx_graph.image_input(path, model)
        self.channels_last = dims[1] != 3 and dims[3] == 3
        self.axes = (1, 2) if self.channels_last else (2, 3)
        self.own_sides = tuple(dims[axis] for axis in self.axes)
        self.patch = options.patch or onnx_graph.find_patch(model, self.image)
        self.attention = onnx_graph.find_attention(model, self.image)
        if not self.attention:
            onnx_graph.refuse_without_attention(path, model)
        self.runner = onnx_graph.Runner(path, model, self.image)
        if options.size:
            self.runner.free_size(self.axes)
        self.session, self.layers = None, []

    def sides(self, photo):
        """What the photo is resized to, (height, width): asked for, the model's own, or 518."""
        size = self.options.size
        if size and "x" in size:
            return tuple(int(side) for side in size.split("x"))
        if not size and all(self.own_sides):
            return self.own_sides
        if not self.patch:
            raise ExportError(f"{self.path}: the side of a patch is not to be seen in the graph; "
                              "give it, --patch")
        return fit_sides(photo, int(size or 518), self.patch)

    def run(self, session, outputs, photo, sides):
        """-> {name: array}."""
        values = pixels(photo, sides, self.options.mean, self.options.std)
        values = values.transpose(0, 2, 3, 1) if self.channels_last else values
        inputs = session.get_inputs()
        others = [value.name for value in inputs if value.name != self.image]
        if others or inputs[0].type not in TYPES:
            raise ExportError(f"{self.path}: must need nothing but a photo of floating-point numbers, "
                              f"wants {', '.join(others) or inputs[0].type}")
        try:
            found = session.run(outputs, {self.image: values.astype(TYPES[inputs[0].type])})
        except Exception as error:  # onnxruntime's own kinds
            raise ExportError(
                f"{self.path}: does not run on {sides[0]} x {sides[1]} pixels; many graphs take only "
                "the size that they were exported with, see --size "
                f"({onnx_graph.brief(error)})") from error
        return dict(zip(outputs, found))

    def prepare(self, photo, sides):
        """Looks at the attention of a first photo, chooses layers, and makes the session for them."""
        names = [layer.scores for layer in self.attention]
        shapes = ["shape_of_" + name for name in names]
        found = self.run(self.runner.session([], names), shapes, photo, sides)
        square = []
        for layer, name in zip(self.attention, shapes):
            shape = found[name]
            if len(shape) < 2 or layer.axis not in (-1, len(shape) - 1) or shape[-1] != shape[-2]:
                continue
            square.append(layer)
        if not square:
            raise ExportError(f"{self.path}: none of its {len(names)} soft-maxes is token x token, got "
                              f"{', '.join(str(list(found[name])) for name in shapes[:4])}")
        chosen = choose_layers(self.options.layers, self.options.preset, len(square))
        self.layers = [(index, self.as_kind(index, square[index])) for index in chosen]
        tensors = {name: None for _, layer in self.layers for name in tensors_of(layer)}
        self.session = self.runner.session(list(tensors))

    def as_kind(self, index, layer):
        """The layer as the option --kind wants it: with query and key, or by its scores alone."""
        if self.options.kind == "scores":
            return layer._replace(query="", key="")
        if self.options.kind == "queries_keys" and not layer.query:
            raise ExportError(f"{self.path}: in layer {index} more than a factor stands between the "
                              "queries and keys and their soft-max (a bias, a mask, a fused product); "
                              "use --kind scores or mean")
        return layer

    def layers_of(self, photo):
        """-> [(index, grid, arrays)] of the layers asked for; arrays: {"query", "key", "scale"}, or
        {"scores"}, each [heads, cells, ...]."""
        sides = self.sides(photo)
        if self.session is None:
            self.prepare(photo, sides)
        outputs = [value.name for value in self.session.get_outputs()]
        tensors = self.run(self.session, outputs, photo, sides)
        return [(index, *self.cut(index, layer, tensors, sides)) for index, layer in self.layers]

    def cut(self, index, layer, tensors, sides):
        """The layer's grid and arrays, without the tokens that are no cells."""
        name = layer.query or layer.scores
        shape = tensors[name].shape
        if len(shape) > 3 and math.prod(shape[:-3]) != 1:
            raise ExportError(f"{self.path}: layer {index} has more than [1, heads, n, n], got "
                              f"{list(shape)}; attention in windows is not supported")
        grid, skip = grid_of(shape[-2], sides, self.patch, self.options.skip)

        def stack(array):
            return array.reshape(-1, *array.shape[-2:])

        if not layer.query:
            return grid, {"scores": stack(tensors[name])[:, skip:, skip:]}
        scale = 1.0
        for kind, factor in layer.factors:
            if tensors[factor].size != 1:
                raise ExportError(f"{self.path}: layer {index} has a scale for each head; use --kind "
                                  "scores or mean")
            scale *= float(tensors[factor].item()) ** (1 if kind == "Mul" else -1)
        return grid, {"query": stack(tensors[layer.query])[:, skip:],
                      "key": stack(tensors[layer.key]).swapaxes(1, 2)[:, skip:], "scale": scale}


def tensors_of(layer):
    """What has to be computed of a layer."""
    if not layer.query:
        return [layer.scores]
    return [layer.query, layer.key] + [factor for _, factor in layer.factors]


def probabilities(arrays):
    """-> [heads, cells, cells] of sum 1, one head after the other."""
    for head in range(len(arrays["scores" if "scores" in arrays else "query"])):
        if "scores" in arrays:
            scores = arrays["scores"][head].astype(numpy.float32)
        else:
            query, key = (arrays[name][head].astype(numpy.float32) for name in ("query", "key"))
            scores = numpy.float32(arrays["scale"]) * query @ key.T
        scores = numpy.exp(scores - scores.max(-1, keepdims=True))
        yield scores / scores.sum(-1, keepdims=True)


def describe(layers, mean, half):
    """`layers` as layers_of() returns them -> the arrays by name, and the manifest's layers."""
    kind = numpy.float16 if half else numpy.float32
    arrays, entries = {}, []

    def add(name, array):
        with numpy.errstate(over="ignore"):
            arrays[name] = numpy.ascontiguousarray(array, kind)
        if half and numpy.isinf(arrays[name]).sum() > numpy.isinf(array).sum():
            raise ExportError(f"{name}: numbers beyond 65504 are no float16; leave out --half")
        return name

    if mean:
        for grid in dict.fromkeys(grid for _, grid, _ in layers):
            own = [found for _, at, found in layers if at == grid]
            means = [sum(probabilities(found)) / len(next(iter(found.values()))) for found in own]
            name = add(f"self_{grid[0]}x{grid[1]}", (sum(means) / len(means))[None])
            entries.append({"array": name, "queries": list(grid)})
        return arrays, entries
    for index, grid, found in layers:
        if "scores" in found:
            entry = {"kind": "scores", "array": add(f"scores_{index}", found["scores"])}
        else:
            entry = {"kind": "queries_keys", "query": add(f"q_{index}", found["query"]),
                     "key": add(f"k_{index}", found["key"]), "scale": found["scale"]}
        entries.append({**entry, "queries": list(grid)})
    return arrays, entries


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
    return text


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
    parser.add_argument("--kind", choices=("queries_keys", "scores", "mean"),
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


def export(exporter, photo, folder, options):
    """-> the manifest's path."""
    layers = exporter.layers_of(read_photo(photo))
    arrays, entries = describe(layers, options.kind == "mean", options.half)
    name = options.preset or photo_stem(exporter.path)
    return write_attention(os.path.join(folder, photo_stem(photo)), arrays, entries, model=name)


def main():
    options = parse()
    try:
        stems = [photo_stem(photo) for photo in options.photos]
        twice = {stem for stem in stems if stems.count(stem) > 1}
        if twice:
            raise ExportError(f"several photos would write {sorted(twice)[0]}.json; call them apart")
        exporter = Exporter(options.model, options)
        os.makedirs(options.output, exist_ok=True)
    except (ExportError, OSError) as error:
        sys.exit(f"export_onnx: {error}")
    failed = False
    for photo in options.photos:
        try:
            print(export(exporter, photo, options.output, options), flush=True)
        except (ExportError, OSError, MemoryError) as error:
            print(f"export_onnx: {error}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
