#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What recording costs a generation: a random UNet of the shapes of Stable Diffusion 1.5, a guidance
batch of two, on the GPU in half precision where there is one, with and without diffseg.diffusers.record
in turns.

compare_recording.py [--steps N (20)] [--rounds N (7)] [--device cuda|cpu]

Runs in the Python that has the package, torch and diffusers."""
import argparse
import platform
import sys

sys.dont_write_bytecode = True  # nothing appears in the source tree
from harness import in_turns, median, ratio, timed  # noqa: E402


def arguments():
    import torch
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def make_unet(device):
    import diffusers
    import torch
    torch.manual_seed(1)
    unet = diffusers.UNet2DConditionModel(sample_size=64, cross_attention_dim=768,
                                          attention_head_dim=8)
    return unet.to(device, torch.float16 if device == "cuda" else torch.float32).eval()


def main():
    options = arguments()
    import torch

    import diffseg.diffusers
    unet = make_unet(options.device)
    latents = torch.randn(2, 4, 64, 64).to(unet.device, unet.dtype)
    text = torch.randn(2, 77, 768).to(unet.device, unet.dtype)

    def passes():
        for step in range(options.steps):
            unet(latents, 999 - step * 999 // options.steps, encoder_hidden_states=text)
        if options.device == "cuda":
            torch.cuda.synchronize()

    def recorded():
        with diffseg.diffusers.record(unet) as recording:
            passes()
        return recording

    calls = {"without": lambda: timed(passes), "with": lambda: timed(recorded)}
    with torch.no_grad():
        times, results = in_turns(calls, options.rounds)
    recording = results["with"]
    spent, labels = timed(lambda: recording.segment(thresholds=[0.9] * 3))
    where = torch.cuda.get_device_name() if options.device == "cuda" else platform.processor()
    copied = sum(array.nbytes for array in recording.arrays.values())
    print(f"{where}, {options.steps} steps, {options.rounds} rounds in turns")
    value, low, high = ratio(times["with"], times["without"])
    print(f"with / without: {median(times['with']):.0f} / {median(times['without']):.0f} ms, "
          f"{value:.2f} ({low:.2f}..{high:.2f})")
    print(f"copied at the end: {copied / 1e6:.0f} MB; segmented on the CPU in {spent:.0f} ms, "
          f"{labels.count()} segments")


if __name__ == "__main__":
    main()
