# SPDX-License-Identifier: MIT
"""What the tests share: random attention, the golden cases, processes of their own."""
import functools
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]


def soft_max(scores):
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


@pytest.fixture
def random(request):
    """A generator of its own for each test; its seed is printed when the test fails."""
    seed = int.from_bytes(os.urandom(4), "little")
    print("seed", seed)
    return np.random.default_rng(seed)


def attention(random, heads, grid, keys=None, sharp=3.0):
    """[heads, queries, keys] float32 as of a smooth photo: neighbours attend to each other."""
    def points(height, width):
        y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j]
        waves = [np.sin(a * y + b * x + c) for a, b, c in random.uniform(0, 5, (6, 3))]
        return np.stack([y, x, *waves], -1).reshape(height * width, -1)
    queries = points(*grid)
    others = queries if keys is None else points(*keys)
    turns = (1 + 0.2 * random.standard_normal((heads, queries.shape[1]))) ** 2
    scores = np.stack([2 * (queries * turn) @ others.T - (queries ** 2 @ turn)[:, None]
                       - others ** 2 @ turn for turn in turns])
    return soft_max(sharp * scores).astype(np.float32)


def run_python(code, *arguments, **environment):
    """Runs Python code in a process of its own; what it printed."""
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], text=True,
                          capture_output=True, timeout=300, env=os.environ | environment)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"exit status {done.returncode}: {done.stderr}")
    return done.stdout


class Case:
    """A golden case: attention of a photo, and the published segmentor's answers."""

    def __init__(self, folder):
        self.folder = folder
        self.name = folder.name
        self.json = json.loads((folder / "case.json").read_text())

    def has(self, name):
        return (self.folder / f"{name}.npy").exists()

    def read(self, name):
        return np.load(self.folder / f"{name}.npy")

    @functools.cached_property
    def layers(self):
        """[heads, n * n, n * n] float32, finest first."""
        return [soft_max(np.einsum("hqd,hkd->hqk", self.read(f"q_{side}").astype(np.float64),
                                   self.read(f"k_{side}"))).astype(np.float32)
                for side in self.json["sizes"]]

    @functools.cached_property
    def cross(self):
        """[heads, n * n, tokens] float32."""
        return [soft_max(np.einsum("hqd,td->hqt", self.read(f"xq_{side}").astype(np.float64),
                                   self.read("xk"))).astype(np.float32)
                for side in self.json["sizes"]]


def golden_cases():
    """Those of DIFFSEG_GOLDEN_DIR, or of this repository."""
    folder = pathlib.Path(os.environ.get("DIFFSEG_GOLDEN_DIR", ROOT / "tests/files/golden"))
    cases = [Case(path.parent) for path in sorted(folder.glob("*/case.json"))]
    assert cases, f"no golden case in {folder}"
    return cases


@pytest.fixture(params=golden_cases(), ids=lambda case: case.name, scope="module")
def case(request):
    return request.param
