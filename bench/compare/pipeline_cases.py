# SPDX-License-Identifier: MIT
"""What compare_pipeline.py compares: attention of which photo, at the shapes of which model."""
import dataclasses
import functools
import json
import pathlib

from harness import read_photo

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "files" / "golden"
MODELS = {"sd15": "SD 1.5", "sd21_768": "SD 2.1-768", "sdxl": "SDXL", "grid128": "128 x 128"}


@dataclasses.dataclass
class Options:
    """What all of them are told."""
    floor: float = 1e-30
    anchors: int = 16
    thresholds: tuple = (0.9, 0.9, 0.9)
    size: int = 512


@dataclasses.dataclass
class Case:
    name: str
    make: list  # arguments of the peer that writes the layers, but for the folder; or who writes them
    options: Options
    whole: bool = False  # (a) compares all anchors, however long it takes
    golden: pathlib.Path = None  # a file of labels that were published
    assign: int = 0  # Assign is also compared alone, with about so many proposals


def photo_files(path, count):
    if path is None:
        return []
    if path.is_file():
        return [path]
    files = [file for file in sorted(path.iterdir()) if file.suffix in (".jpg", ".png")]
    return files[:count]


def write_trained(manifest, folder):
    """The layers of queries and keys that examples/export_attention wrote, as attention [heads, T, T]."""
    import numpy as np
    import torch
    described = json.loads(manifest.read_text())
    arrays = np.load(manifest.with_name(described["file"]))
    for index, layer in enumerate(described["layers"]):
        query, key = (torch.from_numpy(arrays[layer[side]]).float() for side in ("query", "key"))
        scale = layer.get("scale", query.shape[-1] ** -0.5)
        heads = torch.softmax(query @ key.mT * scale, -1)
        np.save(folder / f"layer_{index}.npy", heads.numpy())


def trained_case(manifest):
    """A trained model's attention as `export_onnx.py --kind qk` wrote it, at DINOv2's threshold."""
    return Case(f"{manifest.stem}, trained, f32", functools.partial(write_trained, manifest),
                Options(thresholds=(0.35, 0.35, 0.35)))


def cases(files, work, trained=()):
    """All cases; photos are written below `work` as arrays."""
    import numpy as np
    yield Case("golden coffee, SD 1.5, f32", ["coffee", "f32"], Options(), whole=True,
               golden=GOLDEN / "coffee" / "labels.npy", assign=25)
    # Half precision rounds to 0 what is below 6e-8, so all sides floor it at 1e-9; the published
    # labels were made without.
    yield Case("golden coffee, SD 1.5, f16", ["coffee", "f16"], Options(floor=1e-9))
    for index, file in enumerate(files):
        array = work / (file.stem + ".npy")
        np.save(array, read_photo(file))
        for model in list(MODELS)[:None if index == 0 else 1]:
            yield Case(f"{file.stem}, {MODELS[model]}, f32", ["photo", array, model, "f32"],
                       Options())
    yield from map(trained_case, trained)


def smoke_cases():
    for kind, floor in (("f32", 1e-30), ("f16", 1e-9)):
        yield Case(f"smoke, {kind}", ["photo", "-", "smoke", kind],
                   Options(floor=floor, anchors=4), whole=True, assign=5)
