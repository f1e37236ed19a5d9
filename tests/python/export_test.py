# SPDX-License-Identifier: MIT
"""export_test.py SEGMENT: a small UNet of diffusers -> export_attention -> the segment program; the
labels and names are those that numpy computes from the attention that diffusers itself computed.
Exits with 77 where numpy, torch or diffusers is missing.
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import Attention, AttnProcessor
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

sys.dont_write_bytecode = True  # nothing appears in the source tree
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "examples", "export_attention"))
import checkout  # noqa: E402, F401
from diffseg.diffusers import Recorder, record_pass  # noqa: E402
from numpy_diffseg import enlarge, read_labels, segment_by_numpy  # noqa: E402

SEGMENT = sys.argv[-1]
TOKENS = ["<|startoftext|>", "cat</w>", "on</w>", "mo", "ss</w>", "<|endoftext|>"]
TIMESTEP = 300


def make_unet():
    torch.manual_seed(11)
    unet = UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(32, 64),
        layers_per_block=1, norm_num_groups=8, cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D")).double().eval()
    with torch.no_grad():  # Untrained, it would look everywhere alike
        for name, weight in unet.named_parameters():
            if name.endswith(("to_q.weight", "to_k.weight")):
                weight *= 6
    return unet


def make_latents(height, width):
    """Three regions in noise, as two images: [2, 4, height, width]."""
    generator = torch.Generator().manual_seed(5)
    latents = 0.3 * torch.randn(2, 4, height, width, generator=generator, dtype=torch.double)
    latents[:, 0, :, : width // 3] += 2
    latents[:, 1, height // 2:, width // 3:] += 2
    latents[:, 2, : height // 2, width // 3:] -= 2
    return latents


def attention_of_diffusers(unet, latents, text):
    """-> the output, and [(crosses, scores' soft-max [heads, queries, keys])] of the last image."""
    found = []
    original = Attention.get_attention_scores

    def listen(self, query, key, mask=None):
        probabilities = original(self, query, key, mask)
        found.append((key.shape[1] == text.shape[1], probabilities[-self.heads:].double().numpy()))
        return probabilities

    processors = dict(unet.attn_processors)
    unet.set_attn_processor(AttnProcessor())
    Attention.get_attention_scores = listen
    try:
        with torch.no_grad():
            output = unet(latents, TIMESTEP, encoder_hidden_states=text).sample
    finally:
        Attention.get_attention_scores = original
        unet.set_attn_processor(processors)
    return output, found


def means_by_grid(found, crosses, grids):
    """Mean over heads and layers of each grid: {grid: [queries, keys]}."""
    return {grid: np.mean([layer.mean(0) for kind, layer in found
                           if kind == crosses and layer.shape[1] == grid[0] * grid[1]], axis=0)
            for grid in grids}


def name_by_numpy(means, labels, nouns):
    planes = np.zeros((len(TOKENS), *labels.shape))
    for grid, mean in means.items():
        large = enlarge(mean.T, grid, labels.shape)
        planes += large / large.sum(0)
    planes = np.array([planes[begin:end].sum(0) for begin, end in nouns.values()])
    planes /= np.sqrt((planes**2).sum((1, 2), keepdims=True))
    best = planes.argmax(0)
    names = {}
    for label in range(labels.max() + 1):
        votes = np.bincount(best[labels == label], minlength=len(nouns))
        names.setdefault(list(nouns)[votes.argmax()], []).append(label)
    return names


def run_segment(folder, manifest, size, thresholds):
    command = [SEGMENT, "--json", "-o", folder, "--attention", manifest, "--anchors", "8",
               "--size", f"{size[0]}x{size[1]}", "--names", "cat,moss",
               "--threshold", ",".join(map(str, thresholds))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[0])
    return read_labels(report["files"]["labels"]), report


def check(unet, text, shape, folder, thresholds):
    latents = make_latents(*shape)
    size = (8 * shape[0], 8 * shape[1])
    grids = [shape, (shape[0] // 2, shape[1] // 2)]
    output, found = attention_of_diffusers(unet, latents, text)
    self_means = means_by_grid(found, False, grids)
    cross_means = means_by_grid(found, True, grids)
    expected, proposals = segment_by_numpy(self_means, shape, size, thresholds)
    names = name_by_numpy(cross_means, expected, {"cat": (1, 2), "moss": (3, 5)})
    assert expected.max() >= 2, f"{expected.max() + 1} labels prove nothing"
    for queries_keys, suffix, half in ((False, ".npz", False), (False, ".safetensors", False),
                                       (True, ".npz", False), (True, ".safetensors", False),
                                       (False, ".npz", True), (True, ".npz", True)):
        if suffix == ".safetensors" and not has_safetensors():
            continue
        recorder = record_pass(unet, latents, TIMESTEP, text, queries_keys)
        prefix = os.path.join(folder, f"{shape[0]}x{shape[1]}_{queries_keys}_{half}{suffix[1:]}")
        manifest = recorder.recording(TOKENS, model="random", prompt="cat on moss",
                                      timestep=TIMESTEP).save(prefix, suffix, half)
        if not queries_keys:
            for grid, (total, count) in recorder.sums["self"].items():
                error = np.abs(total.numpy() / count - self_means[grid]).max()
                assert error < 1e-5, f"attention differs by {error:.1e}"
        labels, report = run_segment(folder, manifest, size, thresholds)
        equal = (labels == expected).mean()
        print(f"{shape[0]} x {shape[1]}, {'queries and keys' if queries_keys else 'attention'}, "
              f"{'f16' if half else 'f32'} {suffix}: {report['proposals']} proposals, "
              f"{report['labels']} labels, {100 * equal:.3f} % equal")
        assert equal >= (0.995 if half else 0.999), f"labels: {100 * equal} % are equal"
        assert half or report["proposals"][-1] == proposals
        found_names = {group["word"]: group["labels"] for group in report["names"]}
        assert half or found_names == names, f"names: {found_names} instead of {names}"
    return output


def has_safetensors():
    try:
        import safetensors.numpy  # noqa: F401
    except ImportError:
        print("safetensors is missing: only .npz was tried")
        return False
    return True


def check_unet_is_unchanged(unet, text, output):
    latents = make_latents(16, 16)
    before = dict(unet.attn_processors)
    recorder = Recorder(16, 16)
    unet.set_attn_processor(recorder)
    with torch.no_grad():
        recorded = unet(latents, TIMESTEP, encoder_hidden_states=text).sample
    unet.set_attn_processor(dict(before))  # empties what it gets
    assert (recorded - output).abs().max() < 1e-4, "recording changes what the UNet computes"
    record_pass(unet, latents, TIMESTEP, text)
    assert unet.attn_processors == before, "the UNet does not get its processors back"


def main():
    unet = make_unet()
    text = 3 * torch.randn(2, len(TOKENS), 16, generator=torch.Generator().manual_seed(7),
                           dtype=torch.double)
    with tempfile.TemporaryDirectory() as folder:
        output = check(unet, text, (16, 16), folder, [0.9, 0.9, 0.9])
        check(unet, text, (16, 24), folder, [0.9, 0.9])
    check_unet_is_unchanged(unet, text, output)
    print("exported attention gives numpy's labels and names")


if __name__ == "__main__":
    main()
