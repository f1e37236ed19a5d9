# SPDX-License-Identifier: MIT
"""`python -m diffseg` beside the program `segment`, where that is built."""
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, attention

Image = pytest.importorskip("PIL.Image")
SEGMENT = pathlib.Path(os.environ.get("DIFFSEG_SEGMENT", ROOT / "build/release/segment"))


def run(*arguments, status=0, stderr=False):
    done = subprocess.run([sys.executable, "-m", "diffseg", *map(str, arguments)], text=True,
                          capture_output=True, timeout=300)
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stderr if status or stderr else done.stdout


def segment(*arguments):
    if not SEGMENT.exists():
        pytest.skip(f"{SEGMENT} is missing: cmake --workflow --preset test")
    return subprocess.run([SEGMENT, *map(str, arguments)], text=True, check=True,
                          stdout=subprocess.PIPE).stdout


@pytest.fixture
def photo(tmp_path, random):
    """96 x 64 pixels, lossless: three flat fields and some noise."""
    values = np.full((96, 64, 3), (40, 90, 200), np.uint8)
    values[48:, :32] = (200, 60, 30)
    values[48:, 32:] = (60, 160, 60)
    values += random.integers(0, 20, values.shape, np.uint8)
    Image.fromarray(values).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def manifest(tmp_path, random):
    """Self-attention of two grids that are no squares, one as queries and keys, and cross."""
    queries, keys = random.standard_normal((2, 2, 96, 8)).astype(np.float32)
    np.savez(tmp_path / "a.npz", fine=attention(random, 2, (24, 16)), q=queries, k=keys,
             cross=attention(random, 2, (24, 16), (1, 5)))
    (tmp_path / "cat.json").write_text(json.dumps({
        "diffseg": 1, "file": "a.npz",
        "layers": [{"array": "fine", "queries": [24, 16], "weight": 2},
                   {"kind": "queries_keys", "query": "q", "key": "k", "scale": 0.2,
                    "queries": [12, 8], "weight": 1}],
        "cross": [{"array": "cross", "queries": [24, 16]}],
        "tokens": ["<|startoftext|>", "a</w>", "tab", "by</w>", "<|endoftext|>"]}))
    return tmp_path / "cat.json"


def labels_of(folder, name):
    return np.asarray(Image.open(folder / f"{name}.labels.png"))


def lines(text):
    """The objects of --json: a photo each, then the summary."""
    return [json.loads(line) for line in text.splitlines()]


def summary(text):
    photo = lines(text)[0]
    for passing in ("milliseconds", "files", "shares"):
        photo.pop(passing)
    # The program is compiled for this machine, which rounds otherwise.
    photo["thresholds"] = [round(value, 5) for value in photo["thresholds"]]
    photo["hint"] = re.sub(r"(\.\d{5})\d+", r"\1", photo.get("hint", ""))
    for point in photo.get("sweep", []):
        point.update({name: round(value, 4) for name, value in point.items()})
    return photo


PHOTO_OPTIONS = [[], ["--exact", "-t", "1.1"], ["-a", "6x5", "-s", "40", "--no-refine"],
                 ["--min-area", "0.2", "--threshold", "0.5,0.9"], ["--segments", "4"],
                 ["-t", "auto", "--no-fit-borders", "--sweep", "0.5:1.5:0.5"]]


@pytest.mark.parametrize("options", PHOTO_OPTIONS, ids=" ".join)
def test_a_photo_has_the_labels_of_the_program(tmp_path, photo, options):
    mine = run(photo, "-o", tmp_path / "python", "--json", *options)
    theirs = segment(photo, "-o", tmp_path / "cpp", "--json", *options)
    labels, expected = (labels_of(tmp_path / kind, "photo") for kind in ("python", "cpp"))
    assert labels.shape == expected.shape and (labels == expected).mean() > 0.995
    assert summary(mine) == summary(theirs)
    ends = [lines(text)[-1]["summary"] | {"seconds": 0} for text in (mine, theirs)]
    assert ends[0] == ends[1] and ends[0]["done"] == 1
    overlays = [np.asarray(Image.open(tmp_path / kind / "photo.overlay.png")).astype(int)
                for kind in ("python", "cpp")]
    assert (np.abs(overlays[0] - overlays[1]).max(-1) <= 1).mean() > 0.98


@pytest.mark.parametrize("options", [[], ["--tidy", "--refine", "-t", "0.4"],
                                     ["--names", "tabby,a"], ["--names", "cat=2-3"]], ids=" ".join)
def test_attention_has_the_labels_of_the_program(tmp_path, manifest, photo, options):
    given = ["--attention", manifest, "--image", photo, "--json", *options]
    mine = run(*given, "-o", tmp_path / "python")
    theirs = segment(*given, "-o", tmp_path / "cpp")
    labels, expected = (labels_of(tmp_path / kind, "cat") for kind in ("python", "cpp"))
    assert labels.shape == expected.shape and (labels == expected).mean() > 0.999
    assert summary(mine) == summary(theirs)


@pytest.mark.parametrize("options", [[], ["-t", "auto"], ["--sinks", "0.3", "--skip-first", "1"]],
                         ids=" ".join)
def test_tokens_that_are_no_cells_and_a_model_that_is_known(tmp_path, random, options):
    queries, keys = random.standard_normal((2, 2, 65, 8)).astype(np.float32)
    np.savez(tmp_path / "a.npz", whole=attention(random, 2, (1, 65)), q=queries, k=keys)
    (tmp_path / "dog.json").write_text(json.dumps({
        "diffseg": 1, "file": "a.npz", "model": "dinov2", "skip": {"first": 1},
        "layers": [{"array": "whole", "queries": [8, 8]},
                   {"kind": "queries_keys", "query": "q", "key": "k", "scale": 0.2,
                    "queries": [8, 8], "skip": {"ranges": [[0, 1]]}}]}))
    given = ["--attention", tmp_path / "dog.json", "--json", "-a", "4", *options]
    mine = run(*given, "-o", tmp_path / "python")
    theirs = segment(*given, "-o", tmp_path / "cpp")
    labels, expected = (labels_of(tmp_path / kind, "dog") for kind in ("python", "cpp"))
    assert (labels == expected).mean() > 0.999
    assert summary(mine) == summary(theirs)
    thresholds = lines(mine)[0]["thresholds"]
    assert (thresholds == [0.3] * 3) == ("-t" not in options)


def test_arrays_without_a_manifest(tmp_path, random):
    folder = tmp_path / "attention"
    folder.mkdir()
    np.save(folder / "a.npy", attention(random, 2, (16, 16)))
    np.save(folder / "b.npy", attention(random, 2, (8, 8)).astype(np.float16))
    mine = run("--attention", folder, "-o", tmp_path / "python", "--json")
    theirs = segment("--attention", folder, "-o", tmp_path / "cpp", "--json")
    labels, expected = (labels_of(tmp_path / kind, "attention") for kind in ("python", "cpp"))
    assert labels.shape == (512, 512) and (labels == expected).mean() > 0.999
    assert summary(mine) == summary(theirs)


def test_safetensors_of_every_type_are_read(tmp_path, random):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = attention(random, 1, (4, 4))
    results = []
    for name, dtype in [("F32", np.float32), ("F16", np.float16), ("BF16", ml_dtypes.bfloat16),
                        ("F64", np.float64)]:
        data = values.astype(dtype).tobytes()
        header = json.dumps({"attention": {"dtype": name, "shape": [1, 16, 16],
                                           "data_offsets": [0, len(data)]}}).encode()
        file = tmp_path / f"{name}.safetensors"
        file.write_bytes(len(header).to_bytes(8, "little") + header + data)
        run("--attention", file, "-o", tmp_path, "-s", "16", "-t", "0.3")
        results.append(labels_of(tmp_path, name))
    assert all((labels == results[0]).mean() > 0.9 for labels in results)


def test_formats_that_only_pillow_reads_lie_upright_on_white(tmp_path, photo):
    stored = Image.open(photo)
    clear = stored.convert("RGBA")
    clear.paste((9, 9, 9, 0), (0, 0, 64, 20))
    clear.save(tmp_path / "clear.webp", lossless=True)
    turned = Image.Exif()
    turned[0x0112] = 6
    stored.save(tmp_path / "turned.tiff", exif=turned)
    stored.convert("L").save(tmp_path / "grey.bmp")
    out = lines(run(tmp_path / "clear.webp", tmp_path / "turned.tiff", tmp_path / "grey.bmp",
                    "-o", tmp_path / "out", "--json"))
    assert [one["size"] for one in out[:-1]] == [{"height": 96, "width": 64},
                                                 {"height": 64, "width": 96},
                                                 {"height": 96, "width": 64}]
    over = np.asarray(Image.open(tmp_path / "out/clear.overlay.png"))
    assert over[4:8, 10:50].mean() > 140  # a tint over white
    assert np.asarray(Image.open(tmp_path / "out/turned.labels.png")).shape == (64, 96)


def test_profile_and_trace(tmp_path, photo):
    done = subprocess.run([sys.executable, "-m", "diffseg", photo, "-o", tmp_path, "-p", "--trace",
                           tmp_path / "t.json"], capture_output=True, text=True, check=True)
    assert "Bottleneck: " in done.stderr and "segments in" in done.stdout
    names = [event["name"] for event in json.loads((tmp_path / "t.json").read_text())["traceEvents"]]
    assert {"Affinity", "Aggregate", "Compare", "Merge", "Assign", "Tidy"} <= set(names)


@pytest.mark.parametrize("arguments, words", [
    ([], "give photos, or --attention"), (["--names", "a", "x.png"], "need --attention"),
    (["-t", "0", "x.png"], "must be numbers > 0, got 0"), (["-a", "4x0", "x.png"], "HEIGHTxWIDTH"),
    (["--min-area", "2", "x.png"], "must be in 0..1"), (["--frob"], "unrecognized|give photos"),
    (["x.png", "--attention", "y.npy"], "takes the place of photos; give 'x.png' as --image"),
])
def test_usage_errors(arguments, words):
    assert re.search(words, run(*arguments, status=2))


def test_failures_are_told_and_the_others_done(tmp_path, photo, manifest):
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:200])
    text = run(broken, tmp_path / "none.png", photo, "-o", tmp_path / "out", status=1)
    assert text.count("diffseg: ") == 2 and "Traceback" not in text
    assert (tmp_path / "out/photo.labels.png").exists()
    assert "would replace another file" in run(photo, photo, "-o", tmp_path / "out", status=1)
    for change, words in [({"diffseg": 2}, "diffseg: must be 1"), ({"layer": []}, "is not known"),
                          ({"layers": []}, "at least one layer"), ({"file": "b.npz"}, "b.npz"),
                          ({"tokens": ["a"]}, "one prompt")]:
        bad = tmp_path / "bad.json"
        bad.write_text(json.dumps(json.loads(manifest.read_text()) | change))
        text = run("--attention", bad, "-o", tmp_path, status=1)
        assert words in text and "Traceback" not in text, change
    assert "'dog' is not among a</w>, tab, by</w>" in run("--attention", manifest, "--names", "dog",
                                                         "-o", tmp_path, status=1)
