# SPDX-License-Identifier: MIT
"""`diffseg.diffusers`: photos, and pictures while they are generated, by small random pipelines of four
families. What one pass records is tested beside the models' own layers by tests/python/export*_test.py,
whose pipelines these are."""
import logging
import pathlib
import re
import sys

import numpy as np
import pytest
from conftest import ROOT

import diffseg

for needed in ("PIL", "torch", "diffusers", "transformers"):
    pytest.importorskip(needed)
if not (ROOT / "tests/python/export_models_test.py").exists():
    pytest.skip("the models of tests/python are not at hand", allow_module_level=True)
sys.path.insert(0, str(ROOT / "tests/python"))
import diffusers  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

import export_models_test as models  # noqa: E402
from diffusers.models.attention_processor import Attention, AttnProcessor  # noqa: E402

import diffseg.diffusers  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
FAMILIES = ["sd", "sdxl", "sd3", "flux"]
STEPS, SIDES = 3, (64, 96)
logging.getLogger("diffusers").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipelines")
    torch.manual_seed(3)
    models.make_pipelines(str(folder))
    return folder


@pytest.fixture(params=FAMILIES)
def pipe(request, folder):
    return opened(folder, request.param)


def opened(folder, name):
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder / name)
    pipe.set_progress_bar_config(disable=True)
    model = model_of(pipe)
    models.sharpen(model, 4 if hasattr(pipe, "unet") else 2)
    return pipe


def model_of(pipe):
    return getattr(pipe, "unet", None) or pipe.transformer


def generate(pipe, prompt="cat moss", **more):
    options = {"num_inference_steps": STEPS, "height": SIDES[0], "width": SIDES[1],
               "output_type": "np", "generator": torch.Generator().manual_seed(1)}
    if isinstance(pipe, (diffusers.StableDiffusion3Pipeline, diffusers.FluxPipeline)):
        options["max_sequence_length"] = 16
    return pipe(prompt, **options | more).images


def calls_of(pipe):
    """What the pipeline gives its model while it generates: [(arguments, keywords)]."""
    calls = []
    hook = model_of(pipe).register_forward_pre_hook(
        lambda module, inputs, more: calls.append((inputs, more)), with_kwargs=True)
    image = generate(pipe)
    hook.remove()
    return image, calls


def test_a_generation_is_the_mean_of_its_steps(pipe):
    model, sdpa = model_of(pipe), torch.nn.functional.scaled_dot_product_attention
    image, calls = calls_of(pipe)
    before = dict(getattr(model, "attn_processors", {}))
    with diffseg.diffusers.record(pipe) as recording:
        again = generate(pipe)
    assert np.abs(again - image).max() < 1e-3, "recording changes the picture"
    assert torch.nn.functional.scaled_dot_product_attention is sdpa
    assert dict(getattr(model, "attn_processors", {})) == before
    assert "encode_prompt" not in vars(pipe) and not model._forward_pre_hooks
    single = []
    for inputs, more in calls:
        with torch.no_grad(), diffseg.diffusers.record(model) as one:
            model(*inputs, **more)
        single.append(one.arrays)
    assert len(calls) == STEPS and len(recording.arrays) == len(single[0])
    for name, array in recording.arrays.items():
        mean = np.mean([arrays[name] for arrays in single], axis=0)
        assert np.abs(array - mean).max() < 1e-5, name
        assert np.abs(single[0][name] - single[-1][name]).max() > 1e-4, "the steps are alike"
        assert np.abs(array.sum(-1) - 1).max() < 1e-4
    assert recording.size == SIDES and recording.about["prompt"] == "cat moss"
    labels = recording.segment(thresholds=[0.02] * 3)
    assert labels.size == SIDES and labels.count() >= 2


def test_steps_are_chosen(pipe):
    model, (_, calls) = model_of(pipe), calls_of(pipe)
    with diffseg.diffusers.record(pipe, steps=range(1, 2)) as recording:
        generate(pipe)
    with torch.no_grad(), diffseg.diffusers.record(model) as second:
        model(*calls[1][0], **calls[1][1])
    for name, array in recording.arrays.items():
        assert np.abs(array - second.arrays[name]).max() < 1e-5, name


def test_one_mean_for_each_grid_is_copied_at_the_end(folder, monkeypatch):
    pipe, copies, original = opened(folder, "sdxl"), [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self, *rest, **more: (
        copies.append(self.shape), original(self, *rest, **more))[1])
    with diffseg.diffusers.record(pipe) as recording:
        generate(pipe, output_type="latent")
        assert not copies
        with pytest.raises(ValueError, match="is complete when its `with` ends"):
            recording.segment()
    assert copies == [array.shape for array in recording.arrays.values()]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_makes_the_means(pipe, monkeypatch):
    """As the CPU makes them of the same passes; one copy for each grid, at the end."""
    model, (_, calls) = model_of(pipe), calls_of(pipe)

    def recorded(device):
        model.to(device)
        with torch.no_grad(), diffseg.diffusers.record(model) as recording:
            for inputs, more in calls:
                model(*moved(inputs, device), **moved(more, device))
        return recording

    expected, copies, original = recorded("cpu"), [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self, *rest, **more: (
        copies.append((self.device.type, self.shape)), original(self, *rest, **more))[1])
    found = recorded("cuda")
    assert copies == [("cuda", array.shape) for array in found.arrays.values()]
    assert list(found.arrays) == list(expected.arrays)
    for name, array in found.arrays.items():
        assert np.abs(array - expected.arrays[name]).max() < 1e-4, name
    same = found.segment(thresholds=[0.02] * 3).values == expected.segment(thresholds=[0.02] * 3).values
    assert same.mean() > 0.99


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_generation_in_half_precision_on_a_gpu(folder):
    pipe = opened(folder, "sd").to("cuda", torch.float16)
    with diffseg.diffusers.record(pipe) as recording:
        generate(pipe)
    for array in recording.arrays.values():
        assert np.abs(array.sum(-1) - 1).max() < 1e-3
    assert recording.segment(thresholds=[0.02] * 3).size == SIDES
    with pytest.raises(ValueError, match="must be in the memory of the CPU"):
        diffseg.Layer(torch.full([1, 4, 4], 0.25, device="cuda"))


def moved(value, device):
    """Tensors within lists and dictionaries, on that device."""
    if isinstance(value, dict):
        return {key: moved(item, device) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(moved(item, device) for item in value)
    return value.to(device) if isinstance(value, torch.Tensor) else value


def test_a_unet_is_recorded_as_diffusers_computes_it(folder):
    pipe, found = opened(folder, "sd"), []
    original = Attention.get_attention_scores

    def listen(self, query, key, mask=None):
        probabilities = original(self, query, key, mask)
        found.append(probabilities[-self.heads:].double().numpy().mean(0))
        return probabilities

    with diffseg.diffusers.record(pipe) as recording:
        generate(pipe)
    pipe.unet.set_attn_processor(AttnProcessor())
    Attention.get_attention_scores = listen
    try:
        generate(pipe)
    finally:
        Attention.get_attention_scores = original
    for kind, tokens in (("self", 96), ("cross", 16)):
        means = [mean for mean in found if mean.shape == (96, tokens)]
        assert len(means) >= 2 * STEPS
        assert np.abs(recording.arrays[f"{kind}_8x12"][0] - np.mean(means, axis=0)).max() < 1e-5


@pytest.mark.parametrize("name", ["sd", "sdxl"])
def test_segments_have_words_of_the_prompt(folder, name):
    pipe = opened(folder, name)
    with diffseg.diffusers.record(pipe) as recording:
        generate(pipe, ["moss", "cat moss"])  # the last picture's
    assert recording.about["prompt"] == "cat moss"
    assert recording.tokens[1:3] == ["cat</w>", "moss</w>"] and len(recording.tokens) == 16
    labels = recording.segment(thresholds=[0.02] * 3)
    groups = recording.names(labels, ["cat", "moss"]).groups
    assert {word for word, _ in groups} <= {"cat", "moss"}
    assert sorted(label for _, group in groups for label in group) == list(range(labels.count()))
    with pytest.raises(ValueError, match="'dog' is not among the tokens cat</w>, moss</w>"):
        recording.names(labels, ["dog"])


def test_a_photo_is_segmented_at_its_size(pipe, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    recording = diffseg.diffusers.record(pipe, pixels, "cat moss", size=192)
    joint = not hasattr(pipe, "unet")
    assert recording.maps().grid == ((8, 12) if joint else (16, 24))
    assert recording.about["timestep"] == 300 and bool(recording.cross) == (not joint)
    assert recording.segment().size == (60, 90)
    pairs = diffseg.diffusers.record(pipe, Image.fromarray(pixels), "cat moss", size=192,
                                     queries_keys=True)
    assert {entry["kind"] for entry in pairs.entries} == {"queries_keys"}
    rows, others = recording.maps().rows, pairs.maps().rows
    assert np.abs(rows - others).max() < 1e-5
    with_noise = diffseg.diffusers.record(pipe, pixels, "cat moss", size=192, noise=True, seed=4)
    assert np.abs(with_noise.maps().rows - rows).max() > 1e-5
    manifest = pathlib.Path(recording.save(str(tmp_path / "photo")))
    assert manifest.exists() and manifest.with_suffix(".npz").exists()


def test_an_error_meanwhile_is_told_and_all_is_put_back(pipe):
    model, sdpa = model_of(pipe), torch.nn.functional.scaled_dot_product_attention
    before = dict(getattr(model, "attn_processors", {}))

    def stop(*_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"), diffseg.diffusers.record(pipe) as recording:
        hook = model.register_forward_hook(stop)
        generate(pipe)
    hook.remove()
    assert recording.arrays == {} and "encode_prompt" not in vars(pipe)
    assert torch.nn.functional.scaled_dot_product_attention is sdpa
    assert dict(getattr(model, "attn_processors", {})) == before
    assert generate(pipe).shape == (1, *SIDES, 3)


def test_mistakes_are_told(folder):
    pipe, photo = opened(folder, "sd"), np.zeros((8, 8, 3), np.uint8)
    record = diffseg.diffusers.record
    for call, words in (
            (lambda: record(pipe.unet, photo), "a photo needs a pipeline, StableDiffusionPipeline"),
            (lambda: record(pipe, photo, timestep=1000), r"timestep must be in 0\.\.999, got 1000"),
            (lambda: record(pipe, photo, steps=[1]), "a photo has one pass"),
            (lambda: record(pipe, "none.jpg"), "none.jpg: is no photo"),
            (lambda: record(pipe, queries_keys=True), "means over the steps"),
            (lambda: record(pipe.text_encoder).__enter__(), "must be a UNet, or one of Flux")):
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(ValueError, match="no attention was recorded: the model did not run"):
        with record(pipe):
            pass
    with pytest.raises(ValueError, match="pictures of one size, got 8 x 8 cells behind 8 x 12"):
        with record(pipe):
            generate(pipe)
            generate(pipe, width=64)
    assert generate(pipe).shape == (1, *SIDES, 3)


def test_the_blocks_of_the_page_run(folder, monkeypatch, tmp_path):
    """Those of docs/python.md that test_pages.py leaves out: they need a pipeline."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.jpg").write_bytes((ROOT / "examples/data/chelsea.jpg").read_bytes())
    blocks = re.findall(r"needs: pipeline -->\n```python\n(.*?)```",
                        (ROOT / "docs/python.md").read_text(), re.S)
    assert len(blocks) == 1
    names = {"pipe": opened(folder, "sd")}
    names["pipe"].set_progress_bar_config(disable=True)
    exec(compile(blocks[0].replace("grass", "moss"), "python.md", "exec"), names)
    assert names["recording"].about["prompt"] == "cat moss"
    assert names["labels"].size == names["recording"].size
