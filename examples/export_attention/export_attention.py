#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The attention of a diffusion model for one photo, as files for diffseg.

    export_attention.py photo.jpg --prompt "a cat in the grass" -o cat
    segment --attention cat.json --image photo.jpg --names cat,grass

One pass of the UNet or transformer writes cat.npz (or .safetensors) and the manifest cat.json.
A short program over `diffseg.diffusers`, of which it needs no built extension; needs torch, pillow and
diffusers with transformers. docs/real_attention.md explains the choices.
"""
import argparse
import sys

import torch

import checkout  # noqa: F401  # finds the modules of the package
from diffseg._recording import RecordError, open_photo, photo_stem
from diffseg.diffusers import FAMILIES, record


def load(name, device):
    """-> the pipeline."""
    from diffusers import DiffusionPipeline
    kind = DiffusionPipeline.load_config(name)["_class_name"]
    if kind not in FAMILIES:
        raise RecordError(f"{name}: must be a {', '.join(FAMILIES)}, got {kind}")
    more = {"safety_checker": None, "requires_safety_checker": False}
    number = FAMILIES[kind][2] if device.startswith("cuda") else torch.float32
    pipe = DiffusionPipeline.from_pretrained(
        name, torch_dtype=number, **(more if kind == "StableDiffusionPipeline" else {}))
    return pipe.to(device)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo")
    parser.add_argument("--prompt", default="",
                        help="for the names (not of SD3 and Flux); none: unconditional")
    parser.add_argument("--model", default="stable-diffusion-v1-5/stable-diffusion-v1-5",
                        help="Stable Diffusion 1.x, 2.x, XL or 3.x, or Flux: hub id or folder "
                             "(default %(default)s)")
    parser.add_argument("--timestep", type=int, default=300, choices=range(1000), metavar="STEP",
                        help="0..999 (default %(default)s)")
    parser.add_argument("--noise", action="store_true", help="add the noise of the timestep")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--size", type=int,
                        help="longer side in pixels (default 512; of XL, 3.x and Flux 1024)")
    parser.add_argument("--queries-keys", action="store_true",
                        help="queries and keys of every layer instead of their attention")
    parser.add_argument("--half", action="store_true", help="float16 instead of float32")
    parser.add_argument("--format", choices=("npz", "safetensors"), default="npz")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("-o", "--output", help="prefix of the files (default: the photo's name)")
    return parser.parse_args(arguments)


def export(options):
    """-> the manifest's path."""
    photo = open_photo(options.photo)  # before the model, which takes longer
    pipe = load(options.model, options.device)
    recording = record(pipe, photo, options.prompt, timestep=options.timestep,
                       noise=options.noise, seed=options.seed, size=options.size,
                       queries_keys=options.queries_keys)
    return recording.save(options.output or photo_stem(options.photo), "." + options.format,
                          options.half)


def main():
    try:
        print(export(parse()))
    except (OSError, ValueError) as error:
        sys.exit(f"export_attention: {error}")


if __name__ == "__main__":
    main()
