# SPDX-License-Identifier: MIT
"""Attention out of files: what `python -m diffseg` and the program make of the same arrays."""
import json
import os

import numpy as np
import pytest
from conftest import attention
from test_cli import labels_of, run, segment, summary

from diffseg._array_files import FileError
from diffseg._attention_files import read_attention


def both(folder, *given, name):
    """The summaries and labels of both are alike; the labels."""
    given = ["--attention", *given, "--json", "-s", "48"]
    mine = run(*given, "-o", folder / "python")
    theirs = segment(*given, "-o", folder / "cpp")
    labels, expected = (labels_of(folder / kind, name) for kind in ("python", "cpp"))
    assert labels.shape == expected.shape and (labels == expected).mean() > 0.999
    assert summary(mine) == summary(theirs)
    return labels


@pytest.fixture
def arrays(tmp_path, random):
    """One layer of two heads in each shape that is taken; and the mean of its heads."""
    whole = attention(random, 2, (12, 12))
    return {"heads": whole, "batch": whole[None], "grid": whole.reshape(2, 12, 12, 144),
            "grids": whole.reshape(2, 12, 12, 12, 12), "mean": whole.mean(0)}


@pytest.mark.parametrize("options", [["-t", "auto"], ["--segments", "3"]],
                         ids=" ".join)
def test_every_shape_is_read_as_the_program_reads_it(tmp_path, arrays, options):
    found = []
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
        found.append(both(tmp_path, tmp_path / f"{name}.npy", *options, name=name))
    for labels in found:
        assert (labels == found[0]).mean() > 0.99  # the mean of the heads is rounded


def test_what_lies_beside_attention_is_passed_over_with_a_word(tmp_path, arrays, random):
    others = {"latents": random.standard_normal((1, 4, 16, 16)), "timestep": np.int64(3),
              "ids": np.arange(77), "words": np.array(["a", "cat"]), "norm": np.ones((2, 5)),
              "noise": random.standard_normal((2, 9, 9)), "empty": np.zeros((0, 4, 4)),
              "objects": np.array([{}, []], object)}
    np.savez(tmp_path / "all.npz", **others, fine=arrays["batch"].astype(np.float16),
             coarse=attention(random, 1, (6, 6)), cross=attention(random, 2, (12, 12), (1, 7)))
    read = read_attention([tmp_path / "all.npz"], {})
    assert [layer.queries for layer in read.layers] == [(12, 12), (6, 6)]
    assert [layer.keys for layer in read.cross] == [(1, 7)]
    told = {reason.split("[")[1].split("]")[0]: reason for reason in read.passed_over}
    assert set(told) == set(others)
    assert "no floating point" in told["ids"] and "negative" in told["noise"]
    assert "[2, 5] is no attention" in told["norm"] and "Object" in told["objects"]
    both(tmp_path, tmp_path / "all.npz", name="all")
    words = run("--attention", tmp_path / "all.npz", "-o", tmp_path / "out", stderr=True)
    assert words.count("diffseg: passed over ") == len(others)


def test_arrays_that_are_all_no_attention_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(5))
    with pytest.raises((FileError, ValueError), match=r"\[heads, queries, keys\]"):
        read_attention([tmp_path / "a.npy"], {})
    np.savez(tmp_path / "b.npz", a=np.arange(4), b=np.zeros(3))
    with pytest.raises(FileError, match="no self-attention .* no floating point"):
        read_attention([tmp_path / "b.npz"], {})


def test_a_folder_has_what_neither_hides_nor_tells_of_a_run(tmp_path, arrays):
    np.save(tmp_path / "a.npy", arrays["heads"])
    (tmp_path / "._b.npy").write_bytes(b"AppleDouble")
    (tmp_path / "a.json").write_text('{\n "diffseg_segment": 1\n}')
    (tmp_path / ".c.json").write_text("{}")
    assert len(read_attention([tmp_path], {}).layers) == 1


@pytest.mark.parametrize("shape", ["heads", "batch", "mean"])
@pytest.mark.parametrize("skip", ["--skip-first 1 --skip-last 2", ""], ids=["options", "manifest"])
def test_tokens_are_skipped_of_every_shape(tmp_path, random, shape, skip):
    whole = attention(random, 2, (1, 84))
    array = {"heads": whole, "batch": whole[None], "mean": whole.mean(0)}[shape]
    np.savez(tmp_path / "a.npz", a=array.astype(np.float32))
    if skip:
        both(tmp_path, tmp_path / "a.npz", *skip.split(), name="a")
        return
    for kind in ("probabilities", "scores"):
        (tmp_path / "m.json").write_text(json.dumps({
            "diffseg": 1, "file": "a.npz", "skip": {"first": 2, "ranges": [[2, 3]]},
            "layers": [{"array": "a", "kind": kind},
                       {"array": "a", "kind": kind, "queries": [4, 20], "skip": {"last": 4}}]}))
        if shape != "mean" or kind == "probabilities":
            both(tmp_path, tmp_path / "m.json", "-a", "4", name="m")


def test_queries_and_keys_of_a_batch_and_cross_of_one(tmp_path, random):
    queries, keys = random.standard_normal((2, 1, 2, 65, 8)).astype(np.float32)
    cross = attention(random, 2, (8, 8), (1, 5))[None]
    np.savez(tmp_path / "a.npz", q=queries, k=keys, cross=cross)
    (tmp_path / "m.json").write_text(json.dumps({
        "diffseg": 1, "file": "a.npz", "tokens": ["<s>", "a", "fire", "truck", "</s>"],
        "layers": [{"kind": "queries_keys", "query": "q", "key": "k", "scale": 0.2,
                    "skip": {"first": 1}}],
        "cross": [{"array": "cross", "queries": [8, 8]}]}))
    both(tmp_path, tmp_path / "m.json", "-a", "4", "--names", "fire truck,a", name="m")


@pytest.mark.parametrize("model", ["dinov2", "other"])
def test_presets_named_by_the_manifest(tmp_path, random, model):
    layers = [attention(random, 1, (6, 6)) for _ in range(12)]
    np.savez(tmp_path / "a.npz", **{f"l{index}": layer for index, layer in enumerate(layers)})
    (tmp_path / "m.json").write_text(json.dumps({
        "diffseg": 1, "file": "a.npz", "model": model,
        "layers": [{"array": f"l{index}"} for index in range(12)]}))
    for options in ([], ["-t", "auto"]):
        both(tmp_path, tmp_path / "m.json", "-a", "4", *options, name="m")


@pytest.mark.parametrize("null", [False, True])
def test_safetensors_beside_other_types(tmp_path, random, null):
    whole = attention(random, 1, (8, 8))
    parts = [("self", "F32", whole), ("timestep", "I64", np.array([981])),
             ("mask", "BOOL", np.ones((3, 4), bool)), ("small", "F8_E4M3", np.zeros(5, np.uint8))]
    header, data = {"__metadata__": None} if null else {}, b""
    for name, dtype, array in parts:
        end = len(data) + array.nbytes
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [len(data), end]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    read = read_attention([tmp_path / "a.safetensors"], {})
    assert len(read.layers) == 1 and len(read.passed_over) == 3
    if os.environ.get("DIFFSEG_SEGMENT") or null:
        both(tmp_path, tmp_path / "a.safetensors", name="a")


@pytest.mark.parametrize("change, words", [
    ({"tokens": [1]}, "tokens: must be a list of texts"), ({"model": 3}, "model: must be a text"),
    ({"skip": {"first": 1.5}}, "must hold numbers of tokens"), ({"skip": 3}, "must have first"),
    ({"skip": {"ranges": [[1]]}}, "must hold numbers of tokens"),
    ({"layers": [{"array": 3}]}, "layers\\[0\\].array: must be a text"),
    ({"layers": [{}]}, "array: is missing"), ({"layers": [{"array": "none"}]}, "there is no 'none'"),
    ({"layers": [{"array": "a", "scale": 1}]}, "belongs to the kind queries_keys"),
    ({"layers": [{"kind": "maps", "array": "a"}]}, "must be probabilities, scores or"),
    ({"layers": [{"kind": "queries_keys", "query": "a", "key": "a", "scale": 0}]}, "number > 0"),
    ({"layers": [{"array": "a", "queries": [True, 4]}]}, "must be \\[height, width\\]"),
])
def test_manifests_with_mistakes_are_refused(tmp_path, random, change, words):
    np.savez(tmp_path / "a.npz", a=attention(random, 1, (4, 4)))
    manifest = {"diffseg": 1, "file": "a.npz", "layers": [{"array": "a"}]}
    (tmp_path / "m.json").write_text(json.dumps(manifest | change))
    with pytest.raises(FileError, match=words):
        read_attention([tmp_path / "m.json"], {})


def test_a_manifest_names_files_of_its_own_folder_only(tmp_path, random):
    inner = tmp_path / "in"
    inner.mkdir()
    for folder in (tmp_path, inner):
        np.save(folder / "a.npy", attention(random, 1, (4, 4)))
    os.symlink("../a.npy", inner / "link.npy")
    for file in ("../a.npy", str(inner / "a.npy"), "link.npy", "a.npy"):
        manifest = {"diffseg": 1, "layers": [{"file": file}]}
        (inner / "m.json").write_text(json.dumps(manifest))
        if file == "a.npy":
            assert len(read_attention([inner / "m.json"], {}).layers) == 1
            continue
        with pytest.raises(FileError, match="must lie in the folder of the manifest"):
            read_attention([inner / "m.json"], {})
    (inner / "m.json").write_text(200_000 * "[" + 200_000 * "]")
    with pytest.raises(FileError, match="is no JSON"):
        read_attention([inner / "m.json"], {})
