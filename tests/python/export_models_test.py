# SPDX-License-Identifier: MIT
"""export_models_test.py SEGMENT: random transformers of SD3 and Flux and a UNet of SDXL, from
diffusers -> export_attention -> the segment program; the queries and keys are those that the models'
own layers gave, the labels those that numpy computes from them. Then whole random pipelines of four
families by the command line. Exits with 77 where torch, diffusers or transformers is missing.
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    import diffusers
    import transformers
    from PIL import Image
    from diffusers.models.attention_processor import Attention, AttnProcessor
    from diffusers.models.embeddings import apply_rotary_emb
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

sys.dont_write_bytecode = True  # nothing appears in the source tree
HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "..", "..", "examples", "export_attention")
sys.path.insert(0, FOLDER)
import checkout  # noqa: E402, F401
from diffseg.diffusers import record_pass  # noqa: E402
from numpy_diffseg import read_labels, segment_by_numpy  # noqa: E402

SEGMENT = sys.argv[-1]
GRID, TEXT = (16, 24), 7
THRESHOLDS = {"sd3": 0.1, "flux": 0.3, "sdxl": 0.5}  # by how sharp the random model is
WORDS = ["cat", "moss"]


def sharpen(model, factor):
    """Untrained, it would look everywhere alike."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if any(part in name for part in ("norm_q", "norm_k", "to_q.weight", "to_k.weight")):
                weight *= factor
    return model.eval()


def make_sd3():
    torch.manual_seed(1)
    return sharpen(diffusers.SD3Transformer2DModel(
        sample_size=32, patch_size=2, in_channels=4, out_channels=4, num_layers=3, qk_norm="rms_norm",
        attention_head_dim=8, num_attention_heads=3, joint_attention_dim=16, pooled_projection_dim=12,
        caption_projection_dim=24, pos_embed_max_size=32, dual_attention_layers=(1,)), 2)


def make_flux():
    torch.manual_seed(2)
    return sharpen(diffusers.FluxTransformer2DModel(
        in_channels=16, num_layers=2, num_single_layers=2, attention_head_dim=8,
        num_attention_heads=3, joint_attention_dim=16, pooled_projection_dim=12, guidance_embeds=True,
        axes_dims_rope=(2, 2, 4)), 2)


def make_unet():
    torch.manual_seed(3)
    return sharpen(diffusers.UNet2DConditionModel(
        sample_size=16, block_out_channels=(32, 64), layers_per_block=1, norm_num_groups=8,
        cross_attention_dim=16, attention_head_dim=4, transformer_layers_per_block=2,
        addition_embed_type="text_time", addition_time_embed_dim=4, use_linear_projection=True,
        projection_class_embeddings_input_dim=36,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D")), 4)


def make_latents(height, width):
    """Three regions in noise, as two images: [2, 4, height, width]."""
    latents = 0.3 * torch.randn(2, 4, height, width, generator=torch.Generator().manual_seed(5))
    latents[:, 0, :, : width // 3] += 2
    latents[:, 1, height // 2:, width // 3:] += 2
    latents[:, 2, : height // 2, width // 3:] -= 2
    return latents


def of_own_layers(model, call):
    """Runs `call` -> what the model's layers norm_q and norm_k gave, of the last image."""
    found = {"norm_q": [], "norm_k": []}
    hooks = [module.register_forward_hook(
        lambda module, inputs, output, part=name.split(".")[-1]: found[part].append(output[-1]))
        for name, module in model.named_modules() if name.split(".")[-1] in found]
    recorder = call()
    for hook in hooks:
        hook.remove()
    return recorder, list(zip(found["norm_q"], found["norm_k"]))


def rotate(model, rows):
    """Flux turns queries and keys [tokens, heads, depth] by where they lie -> [heads, cells, depth]."""
    places = [[0, y, x] for y in range(GRID[0]) for x in range(GRID[1])]
    places = torch.tensor([[0, 0, 0]] * (len(rows) - len(places)) + places).float()
    turned = apply_rotary_emb(rows[None], model.pos_embed(places), sequence_dim=1)
    return turned[0, -GRID[0] * GRID[1]:].transpose(0, 1)


def soft_max(query, key):
    scores = query.double().numpy() @ key.double().numpy().transpose(0, 2, 1)
    scores = np.exp((scores - scores.max(-1, keepdims=True)) / np.sqrt(query.shape[-1]))
    return scores / scores.sum(-1, keepdims=True)


def check_segment(name, manifest, mean, grid, folder):
    thresholds = [THRESHOLDS[name]] * 3
    expected, _ = segment_by_numpy({grid: mean}, grid, (8 * grid[0], 8 * grid[1]), thresholds)
    assert expected.max() >= 2, f"{expected.max() + 1} labels prove nothing"
    done = subprocess.run(
        [SEGMENT, "--json", "--exact", "-o", folder, "--attention", manifest, "--anchors", "8",
         "--size", f"{8 * grid[0]}x{8 * grid[1]}", "--threshold", ",".join(map(str, thresholds))],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[0])
    equal = (read_labels(report["files"]["labels"]) == expected).mean()
    assert equal >= 0.999, f"{100 * equal} % of the labels are equal"
    return f"{report['labels']} labels, {100 * equal:.3f} % equal"


def check_joint(name, model, layers, folder):
    """Queries, keys and means of a transformer with joint attention: the image's, and nothing else."""
    random = torch.Generator().manual_seed(7)
    latents = make_latents(2 * GRID[0], 2 * GRID[1])
    text = torch.randn(2, TEXT, 16, generator=random)
    more = {"pooled_projections": torch.randn(2, 12, generator=random)}
    if name == "flux":
        more["guidance"] = torch.full([2], 3.5)
    before = torch.nn.functional.scaled_dot_product_attention
    recorder, own = of_own_layers(model, lambda: record_pass(
        model, latents, 0.3 if name == "flux" else 300, text, True, **more))
    assert torch.nn.functional.scaled_dot_product_attention is before, "torch is not as it was"
    if name == "flux":
        own = [(rotate(model, query), rotate(model, key)) for query, key in own]
    assert len(recorder.pairs) == len(own) == layers, f"{len(recorder.pairs)} of {len(own)} layers"
    for (grid, query, key, scale), expected in zip(recorder.pairs, own):
        assert grid == GRID and abs(scale - 8 ** -0.5) < 1e-9, f"grid {grid}, scale {scale}"
        for one, other in zip((query, key), expected):
            assert one.shape == (3, GRID[0] * GRID[1], 8), f"shape {tuple(one.shape)}"
            assert (one - other).abs().max() < 1e-5, "other queries or keys than the model's"
    mean = np.mean([soft_max(*pair) for pair in own], axis=(0, 1))
    summed = record_pass(model, latents, 0.3 if name == "flux" else 300, text, **more)
    total, count = summed.sums["self"][GRID]
    error = np.abs(total.numpy() / count - mean).max()
    assert error < 1e-5, f"attention differs by {error:.1e}"
    for recorder, prefix in ((recorder, name + "_pairs"), (summed, name + "_mean")):
        manifest = recorder.recording(model=name).save(os.path.join(folder, prefix))
        print(f"{prefix}: {layers} layers, {check_segment(name, manifest, mean, GRID, folder)}")


def check_sdxl(folder):
    """A UNet that wants more than a text, with its own attention function as the reference."""
    model, grid = make_unet(), (16, 16)
    latents = make_latents(32, 32)
    text = torch.randn(2, TEXT, 16, generator=torch.Generator().manual_seed(7))
    more = {"added_cond_kwargs": {"text_embeds": torch.randn(2, 12), "time_ids": torch.ones(2, 6)}}
    recorder = record_pass(model, latents, 300, text, **more)
    found, original = [], Attention.get_attention_scores

    def listen(self, query, key, mask=None):
        probabilities = original(self, query, key, mask)
        if key.shape[1] != TEXT:
            found.append(probabilities[-self.heads:].double().numpy())
        return probabilities

    model.set_attn_processor(AttnProcessor())
    Attention.get_attention_scores = listen
    with torch.no_grad():
        model(latents, 300, encoder_hidden_states=text, **more)
    Attention.get_attention_scores = original
    mean = np.mean([layer for layer in found], axis=(0, 1))
    total, count = recorder.sums["self"][grid]
    assert count == len(found) and np.abs(total.numpy() / count - mean).max() < 1e-5
    manifest = recorder.recording(["w"] * TEXT).save(os.path.join(folder, "sdxl"))
    print(f"sdxl: {count} layers, {check_segment('sdxl', manifest, mean, grid, folder)}")


def make_clip(kind, folder):
    """A text encoder of 12 channels and a tokenizer that knows single letters and two words."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    merges = ["c a", "ca t</w>", "m o", "s s</w>", "mo ss</w>"]
    pieces = letters + [letter + "</w>" for letter in letters] + [
        merge.replace(" ", "") for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
    with open(os.path.join(folder, "vocab.json"), "w", encoding="utf-8") as file:
        json.dump({piece: index for index, piece in enumerate(pieces)}, file)
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(["#version: 0.2", *merges]) + "\n")
    tokenizer = transformers.CLIPTokenizer(os.path.join(folder, "vocab.json"),
                                           os.path.join(folder, "merges.txt"), model_max_length=16)
    config = transformers.CLIPTextConfig(
        vocab_size=len(pieces), hidden_size=8, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=16, projection_dim=8,
        bos_token_id=len(pieces) - 2, eos_token_id=len(pieces) - 1)
    return kind(config).eval(), tokenizer


def make_t5():
    tokenizer = transformers.T5Tokenizer(
        vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁cat", -1.0), ("▁", -2.0)],
        extra_ids=0)
    config = transformers.T5Config(vocab_size=8, d_model=16, d_kv=4, d_ff=16, num_layers=1,
                                   num_heads=2)
    return transformers.T5EncoderModel(config).eval(), tokenizer


def make_pipelines(folder):
    """-> {name of the model in the manifest: (folder of a whole random pipeline, cells, words)}."""
    plain = make_clip(transformers.CLIPTextModel, folder)
    projected = [make_clip(transformers.CLIPTextModelWithProjection, folder) for _ in range(2)]

    def vae(**more):
        return diffusers.AutoencoderKL(
            block_out_channels=(8, 8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, norm_num_groups=4, **more)

    flow = diffusers.FlowMatchEulerDiscreteScheduler()
    unet = {"sample_size": 8, "block_out_channels": (8, 16), "layers_per_block": 1,
            "norm_num_groups": 4, "attention_head_dim": 2, "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")}
    t5 = make_t5()
    pipelines = {
        "sd": diffusers.StableDiffusionPipeline(
            vae(), *plain, diffusers.UNet2DConditionModel(cross_attention_dim=8, **unet),
            diffusers.DDIMScheduler(), None, None, requires_safety_checker=False),
        "sdxl": diffusers.StableDiffusionXLPipeline(
            vae(force_upcast=True), plain[0], projected[0][0], plain[1], projected[0][1],
            diffusers.UNet2DConditionModel(
                cross_attention_dim=16, addition_embed_type="text_time", addition_time_embed_dim=4,
                projection_class_embeddings_input_dim=32, **unet), diffusers.DDIMScheduler()),
        "sd3": diffusers.StableDiffusion3Pipeline(
            diffusers.SD3Transformer2DModel(
                sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=2,
                attention_head_dim=8, num_attention_heads=2, joint_attention_dim=16,
                pooled_projection_dim=16, caption_projection_dim=16, pos_embed_max_size=32),
            flow, vae(shift_factor=0.1), *projected[0], *projected[1], *t5),
        "flux": diffusers.FluxPipeline(
            flow, vae(shift_factor=0.1), *plain, *t5, diffusers.FluxTransformer2DModel(
                in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8,
                num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=8,
                guidance_embeds=True, axes_dims_rope=(2, 2, 4)))}
    for name, pipeline in pipelines.items():
        pipeline.save_pretrained(os.path.join(folder, name))
    return list(pipelines)


def check_command_line(folder):
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 90, 3), dtype=np.uint8)).save(
        os.path.join(folder, "photo.png"))
    script = os.path.join(FOLDER, "export_attention.py")
    for name in make_pipelines(folder):
        options = ["--queries-keys", "--half", "--noise"] if name in ("sdxl", "flux") else []
        prefix = os.path.join(folder, name + "_out")
        done = subprocess.run(
            [sys.executable, "-B", script, os.path.join(folder, "photo.png"), "--model",
             os.path.join(folder, name), "--prompt", "cat moss", "--size", "192", "-o", prefix,
             *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        with open(prefix + ".json", encoding="utf-8") as file:
            manifest = json.load(file)
        joint = name in ("sd3", "flux")
        grid = [8, 12] if joint else [16, 24]
        assert grid in [layer["queries"] for layer in manifest["layers"]], manifest["layers"]
        assert manifest["model"] == (os.path.join(folder, name) if name == "sd" else name), manifest
        assert joint or [word + "</w>" in manifest["tokens"] for word in WORDS] == [True] * 2
        segment = [SEGMENT, "-o", folder, "--attention", prefix + ".json", "--anchors", "4"]
        segment += [] if joint else ["--names", ",".join(WORDS)]
        subprocess.run(segment, check=True, stdout=subprocess.DEVNULL)
        print(f"{name}: by the command line, {len(manifest['layers'])} layers")
    done = subprocess.run([sys.executable, "-B", script, script], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and "is no photo" in done.stderr, done.stderr


def main():
    print(f"torch {torch.__version__}, diffusers {diffusers.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        check_joint("sd3", make_sd3(), 4, folder)
        check_joint("flux", make_flux(), 4, folder)
        check_sdxl(folder)
        check_command_line(folder)
    print("joint attention is the image's alone, and its labels are numpy's")


if __name__ == "__main__":
    main()
