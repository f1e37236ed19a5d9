# SPDX-License-Identifier: MIT
"""Types, as mypy sees them: of the package, and of a program that uses it."""
import os
import pathlib
import subprocess
import sys

import pytest

import diffseg

PROGRAM = '''
import numpy as np
from numpy.typing import NDArray

import diffseg
from diffseg.diffusers import record
from diffseg.display import overlay, picture, slider
from diffseg.onnx import Model
from diffseg.onnx import record as record_onnx
from diffseg.published import DiffSeg
from diffseg.ray import Segmenter

layers = [diffseg.Layer(np.ones((2, 64, 64), np.float32), grid=(8, 8), name="up.0")]
maps: diffseg.Maps = diffseg.Aggregate(floor=1e-9)(layers)
rows: NDArray[np.float32] = maps.rows
similarities = diffseg.Compare(anchors=4, placement="published")(maps)
labels: diffseg.Labels = diffseg.Assign(size=(32, 32))(diffseg.Merge(thresholds=[0.9])(similarities))
values: NDArray[np.int32] = labels.values
size: tuple[int, int] = labels.size
options = diffseg.SegmentOptions.balanced().replace(merge=diffseg.Merge(thresholds=[1.0]))
again: diffseg.Labels = diffseg.segment(layers, options, out=diffseg.Segmentation())
masks: NDArray[np.int64] = DiffSeg([0.9], False, 16).segment(layers, layers, layers, layers)
with diffseg.ThreadLimit(2), diffseg.Profile() as profile:
    score: float = diffseg.score(labels, [values]).covering
stage: str = profile.rows()[0].stage
chain = diffseg.Aggregate() | diffseg.Compare()
overlay("cat.jpg", labels).save("cat.png")
picture(values, enlarge=2)
slider(layers, np.zeros((8, 8, 3)), thresholds=[0.2, 0.5], size=(32, 32), tidy=diffseg.Tidy())
recorded: list[diffseg.Layer] = Model("vit.onnx", layers="6-8").record("cat.jpg").layers
labels = record_onnx("vit.onnx", "cat.jpg", size=518).segment(thresholds=[0.3])
with record(object(), steps=range(2)) as recording:
    labels = recording.segment(size=64)
segmenter = Segmenter("out", threshold="auto")
names: diffseg.Names = record(object(), "cat.jpg", "cat").names(labels, ["cat"])
'''
WRONG = [('diffseg.Compare(anchor=4)', "call-arg"), ('diffseg.Compare(placement="middle")', "arg-type"),
         ('diffseg.Merge()("text")', "arg-type"), ('diffseg.Labels([[0]]).value', "attr-defined")]


def check(text, folder):
    pytest.importorskip("mypy")
    file = folder / "program.py"
    file.write_text(text)
    place = pathlib.Path(diffseg.__file__).parents[1]
    installed = place.name == "site-packages"  # where mypy looks by itself
    environment = os.environ | ({} if installed else {"MYPYPATH": str(place)})
    return subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir",
                           str(folder / "cache"), str(file)], text=True, capture_output=True,
                          timeout=300, env=environment)


def test_programs_are_checked(tmp_path):
    done = check(PROGRAM + "".join(f"{line}  # wrong {index}\n"
                                   for index, (line, _) in enumerate(WRONG)), tmp_path)
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(errors) == len(WRONG), done.stdout
    for line, (_, kind) in zip(errors, WRONG):
        assert f"[{kind}]" in line, done.stdout


def test_the_stub_names_what_is_public():
    stub = pathlib.Path(diffseg.__file__).with_name("_core.pyi")
    if not stub.exists():
        pytest.skip("no stub beside the package")
    text = stub.read_text()
    for name in set(diffseg.__all__) - {"__version__", "show_config", "sparse_layer"}:
        assert f"class {name}" in text or f"def {name}(" in text, name
