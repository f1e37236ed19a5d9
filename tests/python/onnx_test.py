# SPDX-License-Identifier: MIT
"""onnx_test.py SEGMENT: a small random transformer in ONNX -> export_onnx.py -> the segment program;
the attention and the labels are those that numpy computes from the same weights. Makes itself an
environment with onnx and onnxruntime where it can; exits with 77 where it cannot.
"""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.dont_write_bytecode = True  # nothing appears in the source tree
sys.path.insert(0, os.path.join(ROOT, "bench", "compare"))
try:
    import numpy as np
    import onnx
    import onnxruntime  # noqa: F401
    from PIL import Image
except ImportError:
    import harness
    try:
        harness.enter_environment(["numpy", "onnx", "onnxruntime", "pillow"])
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"skipped: no environment with onnx and onnxruntime can be made ({error})")
        sys.exit(77)
    raise

from numpy_diffseg import read_labels, segment_by_numpy

from onnx import helper as make  # noqa: E402

SEGMENT = sys.argv[-1]
EXPORT = os.path.join(ROOT, "examples", "export_attention", "export_onnx.py")
WIDTH, HEADS, DEPTH, PATCH, SEED = 24, 3, 8, 8, 20
THRESHOLDS = [0.5, 0.5, 0.5]
# What stands between product and soft-max in each layer.
SCALED, DIVIDED, BIASED, FUSED = "an empty mask", "divided", "a bias", "one fused product"


class Builder:
    """Nodes and weights of a graph, names without meaning."""

    def __init__(self, seed=SEED):
        self.nodes, self.weights, self.inputs = [], {}, {}
        self.random = np.random.default_rng(seed)

    def constant(self, array):
        name = f"c{len(self.weights)}"
        self.weights[name] = np.asarray(array)
        return name

    def weight(self, *shape, scale=1.0):
        return self.constant((self.random.normal(size=shape) * scale).astype(np.float32))

    def add(self, kind, *inputs, domain="", **attributes):
        name = f"t{len(self.nodes)}"
        self.nodes.append(make.make_node(kind, inputs, [name], domain=domain, **attributes))
        return name

    def save(self, path, output, sides):
        inputs = [make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in
                  {**self.inputs, "photo": ["batch", 3, *sides]}.items()]
        graph = make.make_graph(
            self.nodes, "random", inputs, [make.make_empty_tensor_value_info(output)],
            [onnx.numpy_helper.from_array(array, name) for name, array in self.weights.items()])
        opsets = [make.make_opsetid("", 17), make.make_opsetid("com.microsoft", 1)]
        onnx.save(make.make_model(graph, opset_imports=opsets, ir_version=8), path)
        return path


def make_vit(path, kinds, first=1, sides=("height", "width")):
    """A transformer with a layer for each of `kinds` and `first` tokens before the cells' ->
    (path, weights): what numpy_attention() needs."""
    b = Builder()
    weights = {"patch": b.weight(WIDTH, 3, PATCH, PATCH, scale=0.1),
               "first": b.weight(1, first, WIDTH, scale=2)}
    x = b.add("Conv", "photo", weights["patch"], kernel_shape=[PATCH] * 2, strides=[PATCH] * 2)
    x = b.add("Reshape", x, b.constant(np.array([0, WIDTH, -1])))
    x = b.add("Transpose", x, perm=[0, 2, 1])
    x = b.add("Concat", weights["first"], x, axis=1)
    b.inputs["text"] = [1, 16, WIDTH]  # attention of something else, as a CLIP's text has
    text = b.add("MatMul", "text", b.add("Transpose", "text", perm=[0, 2, 1]))
    b.add("MatMul", b.add("Softmax", text, axis=-1), "text")
    gate = b.add("Softmax", b.add("MatMul", x, b.weight(WIDTH, WIDTH)), axis=-1)  # no attention
    b.add("MatMul", gate, b.weight(WIDTH, WIDTH))
    for kind in kinds:
        weights[len(weights)], x = add_layer(b, x, kind)
    pooled = b.add("ReduceMean", x, axes=[1], keepdims=1)  # attention, but of one query
    pooled = b.add("MatMul", pooled, b.add("Transpose", x, perm=[0, 2, 1]))
    output = b.add("MatMul", b.add("Softmax", pooled, axis=-1), x)
    b.save(path, b.add("Softmax", output), sides)
    named = {key: {part: b.weights[name] for part, name in value.items()}
             if isinstance(value, dict) else b.weights[value] for key, value in weights.items()}
    return path, named


def add_layer(b, x, kind):
    names = {part: b.weight(WIDTH, HEADS * DEPTH, scale=0.35) for part in ("q", "k")}
    names["v"] = b.weight(WIDTH, HEADS * DEPTH, scale=0.05)
    names["bias"] = b.weight(WIDTH, HEADS, scale=0.5)

    def heads(part, perm):
        rows = b.add("Reshape", b.add("MatMul", x, names[part]),
                     b.constant(np.array([0, -1, HEADS, DEPTH])))
        return b.add("Transpose", rows, perm=perm)

    query, value = heads("q", [0, 2, 1, 3]), heads("v", [0, 2, 1, 3])
    key = heads("k", [0, 2, 1, 3] if kind == FUSED else [0, 2, 3, 1])
    root = b.constant(np.float32(DEPTH ** -0.25))
    if kind == SCALED:
        scores = b.add("MatMul", b.add("Mul", query, root), b.add("Mul", key, root))
        scores = b.add("Add", scores, b.constant(np.zeros((1, 1, 1, 1), np.float32)))  # hides nothing
    elif kind == FUSED:
        scores = b.add("FusedMatMul", query, key, transB=1, alpha=DEPTH ** -0.5,
                       domain="com.microsoft")
    else:
        scores = b.add("Div", b.add("MatMul", query, key), b.constant(np.float32(DEPTH ** 0.5)))
    if kind == BIASED:
        bias = b.add("Transpose", b.add("MatMul", x, names["bias"]), perm=[0, 2, 1])
        scores = b.add("Add", b.add("Unsqueeze", bias, b.constant(np.array([2]))), scores)
    mixed = b.add("MatMul", b.add("Softmax", scores, axis=-1), value)
    mixed = b.add("Reshape", b.add("Transpose", mixed, perm=[0, 2, 1, 3]),
                  b.constant(np.array([0, -1, HEADS * DEPTH])))
    return names, b.add("Add", x, mixed)


def softmax(scores):
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return scores / scores.sum(-1, keepdims=True)


def numpy_attention(photo, sides, kinds, weights):
    """-> for each layer [heads, cells, cells] of sum 1, in double."""
    resized = photo.resize(sides[::-1], Image.Resampling.BICUBIC)
    x = (np.asarray(resized, float) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    rows, columns = sides[0] // PATCH, sides[1] // PATCH
    patches = x.reshape(rows, PATCH, columns, PATCH, 3)
    cells = np.einsum("rpcqk,dkpq->rcd", patches, weights["patch"]).reshape(-1, WIDTH)
    first = len(weights["first"][0])
    x = np.concatenate([weights["first"][0], cells])
    found = []
    for index, kind in enumerate(kinds):
        own = weights[2 + index]
        query, key, value = ((x @ own[part]).reshape(len(x), HEADS, DEPTH).transpose(1, 0, 2)
                             for part in ("q", "k", "v"))
        scores = query @ key.transpose(0, 2, 1) / DEPTH ** 0.5
        if kind == BIASED:
            scores = scores + (x @ own["bias"]).T[:, None]
        found.append(softmax(scores[:, first:, first:]))
        x = x + (softmax(scores) @ value).transpose(1, 0, 2).reshape(len(x), -1)
    return found


def make_photo(path, width, height):
    """Four coloured regions in noise."""
    random = np.random.default_rng(3)
    pixels = random.integers(0, 40, (height, width, 3))
    pixels[:, : width // 3, 0] += 190
    pixels[height // 2:, width // 3:, 1] += 190
    pixels[: height // 3, width // 2:, 2] += 190
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return Image.open(path)


def run(*arguments, code=0):
    """-> what the exporter says; its exit code must be `code`."""
    done = subprocess.run([sys.executable, "-B", EXPORT, *map(str, arguments)], text=True,
                          capture_output=True, check=False)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stderr if code else done.stdout


def written(manifest):
    """-> the manifest, and for each layer its attention [heads, cells, cells]."""
    with open(manifest, encoding="utf-8") as file:
        text = json.load(file)
    arrays = np.load(os.path.join(os.path.dirname(manifest), text["file"]))
    layers = []
    for layer in text["layers"]:
        kind = layer.get("kind", "probabilities")
        if kind == "queries_keys":
            query, key = (arrays[layer[part]].astype(float) for part in ("query", "key"))
            layers.append(softmax(layer["scale"] * query @ key.transpose(0, 2, 1)))
        else:
            numbers = arrays[layer["array"]].astype(float)
            layers.append(softmax(numbers) if kind == "scores" else numbers)
    return text, layers


def check_labels(manifest, mean, grid, folder):
    expected, count = segment_by_numpy({grid: mean}, grid, (8 * grid[0], 8 * grid[1]), THRESHOLDS)
    assert expected.max() >= 2, f"{expected.max() + 1} labels prove nothing"
    done = subprocess.run(
        [SEGMENT, "--json", "--exact", "-o", folder, "--attention", manifest, "--anchors", "8",
         "--size", f"{8 * grid[0]}x{8 * grid[1]}", "--threshold", ",".join(map(str, THRESHOLDS))],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[0])
    equal = (read_labels(report["files"]["labels"]) == expected).mean()
    assert equal >= 0.999, f"{100 * equal} % of the labels are equal"
    return f"{report['labels']} labels of {count} proposals, {100 * equal:.3f} % equal"


def check_export(folder, kinds, first, size, options=(), limit=2e-5, fixed=False):
    """One model and photo: its attention and labels are numpy's."""
    out = tempfile.mkdtemp(dir=folder)
    photo = make_photo(os.path.join(out, "photo.png"), *size)
    sides = (16 * PATCH, 16 * PATCH * size[0] // size[1])
    given = [] if fixed else ["--size", max(sides)]
    model, weights = make_vit(os.path.join(out, "vit.onnx"), kinds, first,
                              sides if fixed else ("height", "width"))
    manifest = run(model, photo.filename, "-o", out, *given, *options).strip()
    text, layers = written(manifest)
    expected = numpy_attention(photo, sides, kinds, weights)
    mean = np.mean(expected, axis=(0, 1))
    grid = (sides[0] // PATCH, sides[1] // PATCH)
    assert all(layer["queries"] == list(grid) for layer in text["layers"]), text
    if "mean" in options:
        expected = [mean[None]]
    assert len(layers) == len(expected), f"{len(layers)} layers"
    error = max(np.abs(own - other).max() for own, other in zip(layers, expected))
    assert error < limit, f"attention differs by {error:.1e}"
    if limit < 1e-4:  # with --half, divergences at the thresholds fall on either side
        print(f"{grid}, {first} tokens in front, {options}: attention within {error:.1e}, "
              + check_labels(manifest, mean, grid, out))
    return text


def check_kinds(folder):
    kinds = [SCALED, DIVIDED, BIASED, FUSED]
    text = check_export(folder, kinds, 1, (200, 200))
    found = [layer.get("kind") for layer in text["layers"]]
    assert found == ["queries_keys", "queries_keys", "scores", "scores"], found
    assert text["model"] == "vit", text
    check_export(folder, kinds[:2], 5, (300, 200))
    check_export(folder, kinds[:2], 0, (200, 200), ["--kind", "scores"], fixed=True)
    check_export(folder, kinds[:3], 3, (300, 200), ["--kind", "mean", "--skip", "3"])
    check_export(folder, kinds[:2], 1, (200, 200), ["--half", "--patch", "8"], limit=2e-2)


def check_layers(folder):
    make_photo(os.path.join(folder, "photo.png"), 90, 60)
    model, _ = make_vit(os.path.join(folder, "twelve.onnx"), [DIVIDED] * 12)
    call = [model, os.path.join(folder, "photo.png"), "--size", "64x96", "-o", folder]
    for options, expected in ((["--preset", "dinov2"], [6, 7, 8]),
                              (["--layers", "0,10-11"], [0, 10, 11])):
        text, _ = written(run(*call, *options).strip())
        assert [layer["query"] for layer in text["layers"]] == [f"q_{i}" for i in expected], text
        assert text["model"] == ("dinov2" if "--preset" in options else "twelve"), text
    for options, words in ((["--layers", "12"], "layers 0 to 11"), (["--layers", "6:8"], "as 6-8"),
                           (["--size", "60x96"], "multiples of the patch of 8 pixels"),
                           (["--skip", "2"], "97 tokens for 64 x 96 pixels are no grid")):
        said = run(*call, *options, code=1)
        assert words in said, said


def check_refusals(folder):
    photo = os.path.join(folder, "photo.png")
    make_photo(photo, 64, 64)
    b = Builder()
    none = b.save(os.path.join(folder, "none.onnx"), b.add("Softmax", "photo", axis=-1), (64, 64))
    b = Builder()
    rows = b.add("Reshape", "photo", b.constant(np.array([0, 3, -1])))
    fused = b.save(os.path.join(folder, "fused.onnx"), b.add(
        "MultiHeadAttention", rows, rows, rows, num_heads=1, domain="com.microsoft"), (64, 64))
    b = Builder()
    b.inputs["time"] = [1, 3, 64, 64]
    rows = b.add("Reshape", b.add("Add", "photo", "time"), b.constant(np.array([0, 3, -1])))
    rows = b.add("Transpose", rows, perm=[0, 2, 1])
    scores = b.add("MatMul", rows, b.add("Transpose", rows, perm=[0, 2, 1]))
    timed = b.save(os.path.join(folder, "timed.onnx"), b.add(
        "MatMul", b.add("Softmax", scores, axis=-1), rows), (64, 64))
    vit, _ = make_vit(os.path.join(folder, "vit.onnx"), [BIASED], 3)
    out = os.path.join(folder, "refused")
    broken = os.path.join(folder, "broken.png")
    with open(photo, "rb") as whole, open(broken, "wb") as part:
        part.write(whole.read()[:3000])
    for call, words in (
            ([none, photo], "no self-attention that comes from the photo"),
            ([fused, photo], "fused into single nodes (1 MultiHeadAttention)"),
            ([timed, photo, "--patch", "1"], "must need nothing but a photo"),
            ([broken, photo], "is no ONNX model"),
            ([vit, photo], "give the tokens in front with the option skip"),
            ([vit, photo, "--kind", "queries_keys"], "use kind scores"),
            ([vit, broken, "--skip", "3"], "broken.png: is no photo"),
            ([vit, photo, photo], "several photos would write photo.json")):
        said = run(*call, "-o", out, "--size", "64", code=1)
        assert words in said and "Traceback" not in said, said
        assert not os.path.exists(out) or not os.listdir(out), f"{os.listdir(out)} is left of {call}"
    # The photos that can be read are done; what cannot be written whole is not there at all.
    said = run(vit, broken, photo, "-o", out, "--size", "64", "--skip", "3", code=1)
    assert "broken.png" in said and sorted(os.listdir(out)) == ["photo.json", "photo.npz"], said
    os.makedirs(os.path.join(folder, "blocked", "photo.npz"))
    run(vit, photo, "-o", os.path.join(folder, "blocked"), "--size", "64", "--skip", "3", code=1)
    assert os.listdir(os.path.join(folder, "blocked")) == ["photo.npz"], "something is half-written"


def main():
    print(f"onnxruntime {onnxruntime.__version__}, seed {SEED}")
    with tempfile.TemporaryDirectory() as folder:
        check_kinds(folder)
        check_layers(folder)
        check_refusals(folder)
    print("exported attention is numpy's, and so are its labels")


if __name__ == "__main__":
    main()
