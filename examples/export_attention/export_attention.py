#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The attention of a diffusion model for one photo, as files for diffseg.

    export_attention.py photo.jpg --prompt "a cat in the grass" -o cat
    segment --attention cat.json --image photo.jpg --names cat,grass

One pass of the UNet writes cat.npz (or .safetensors) and the manifest cat.json. Needs torch and
diffusers with transformers; docs/real_attention.md explains the choices. As a module: `record`
works with any UNet of diffusers, `save` writes what it found.
"""
import argparse
import json
import math
import os

import numpy
import torch


class Recorder:
    """An attention processor that computes what diffusers' own does, and keeps a copy.

    Self-attention is summed over heads and layers of one grid as it comes, so that no more than
    one head of a layer is held in full; with `queries_keys` each layer's queries and keys are kept instead.
    Cross-attention is small and always summed. Of a guidance batch the last image, the
    conditional half, is kept.
    """

    def __init__(self, height, width, queries_keys=False):
        self.height, self.width, self.queries_keys = height, width, queries_keys
        self.sums = {"self": {}, "cross": {}}  # (rows, columns): [sum of means over heads, layers]
        self.pairs = []  # ((rows, columns), queries, keys, scale)

    def grid(self, tokens):
        """The grid of `tokens` cells that the latent image has at this depth."""
        rows, columns = self.height, self.width
        while rows * columns > tokens:  # a convolution of stride 2, padded
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
        if rows * columns != tokens:
            raise ValueError(f"attention of {tokens} tokens on a latent image of "
                             f"{self.height} x {self.width}: no grid of the UNet has as many")
        return rows, columns

    def keep(self, kind, query, key, scale):
        """Queries [heads, tokens, depth] and keys of one layer, head by head."""
        mean = query.new_zeros(query.shape[1], key.shape[1], dtype=torch.float32)
        for own_query, own_key in zip(query.float(), key.float()):
            mean += (own_query @ own_key.T * scale).softmax(-1) / len(query)
        total = self.sums[kind].setdefault(self.grid(len(mean)), [torch.zeros_like(mean), 0])
        total[0] += mean
        total[1] += 1

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None,
                 temb=None, *args, **kwargs):
        if hidden_states.ndim != 3 or attn.group_norm is not None or attn.spatial_norm is not None:
            raise ValueError("only the attention of transformer blocks is recorded, [batch, tokens, "
                             "channels]")
        if attention_mask is not None:
            raise ValueError("attention with a mask is not recorded")
        crossing = encoder_hidden_states is not None
        context = encoder_hidden_states if crossing else hidden_states
        if crossing and attn.norm_cross:
            context = attn.norm_encoder_hidden_states(context)

        def split(rows):  # [batch, heads, tokens, depth]
            return rows.unflatten(-1, (attn.heads, -1)).transpose(1, 2)

        query, key = split(attn.to_q(hidden_states)), split(attn.to_k(context))
        value = split(attn.to_v(context))
        query = query if attn.norm_q is None else attn.norm_q(query)
        key = key if attn.norm_k is None else attn.norm_k(key)
        # What diffusers' fused attention uses, whatever attn.scale says.
        scale = 1 / math.sqrt(query.shape[-1])
        if self.queries_keys and not crossing:
            self.pairs.append((self.grid(query.shape[2]), query[-1].cpu(), key[-1].cpu(), scale))
        else:
            self.keep("cross" if crossing else "self", query[-1], key[-1], scale)
        result = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        result = attn.to_out[1](attn.to_out[0](result.transpose(1, 2).flatten(2)))
        if attn.residual_connection:
            result = result + hidden_states
        return result / attn.rescale_output_factor


def record(unet, latents, timestep, text, queries_keys=False, **more):
    """One pass of `unet` over `latents` [batch, channels, height, width] -> Recorder.

    `text` [batch, tokens, channels]; `more` goes to the UNet (as SDXL's added_cond_kwargs). Batch
    entries but the last are not recorded. The UNet keeps its own processors afterwards.
    """
    recorder = Recorder(*latents.shape[-2:], queries_keys=queries_keys)
    processors = dict(unet.attn_processors)
    unet.set_attn_processor(recorder)
    try:
        with torch.no_grad():
            unet(latents, timestep, encoder_hidden_states=text, **more)
    finally:
        unet.set_attn_processor(processors)
    return recorder


def describe(recorder, half=False):
    """-> the arrays by name, and the manifest's layers and cross."""
    kind = torch.float16 if half else torch.float32
    arrays, layers, cross = {}, [], []

    def add(name, tensor):
        arrays[name] = tensor.to(kind).contiguous().cpu().numpy()
        return name

    for entries, key in ((layers, "self"), (cross, "cross")):
        for (rows, columns), (total, count) in sorted(recorder.sums[key].items(), reverse=True):
            name = add(f"{key}_{rows}x{columns}", (total / count)[None])
            entries.append({"array": name, "queries": [rows, columns]})
    grids = [grid for grid, *_ in recorder.pairs]
    for i, (grid, query, key, scale) in enumerate(recorder.pairs):
        # As if the layers of one grid had been averaged first.
        weight = math.sqrt(grid[0] * grid[1]) / grids.count(grid)
        layers.append({"kind": "queries_keys", "query": add(f"q_{i}", query),
                       "key": add(f"k_{i}", key), "scale": scale, "queries": list(grid),
                       "weight": weight})
    return arrays, layers, cross


def save(recorder, prefix, tokens=(), suffix=".npz", half=False, **about):
    """Writes PREFIX.npz or .safetensors, and the manifest PREFIX.json -> the manifest's path.

    `tokens`: the text of each column of the cross-attention. `half`: as float16, half the bytes.
    `about`: model, prompt, timestep. Arrays are float32, [1, queries, keys], or [heads, tokens,
    depth] for queries and keys.
    """
    arrays, layers, cross = describe(recorder, half)
    if suffix == ".npz":
        numpy.savez(prefix + suffix, **arrays)
    elif suffix == ".safetensors":
        from safetensors.numpy import save_file
        save_file(arrays, prefix + suffix)
    else:
        raise ValueError(f"suffix must be .npz or .safetensors, got {suffix!r}")
    manifest = {"diffseg": 1, **about, "file": os.path.basename(prefix) + suffix,
                "layers": layers, "cross": cross, "tokens": list(tokens)}
    with open(prefix + ".json", "w", encoding="utf-8") as file:
        json.dump({key: value for key, value in manifest.items() if value != []}, file, indent=1)
    return prefix + ".json"


def read_photo(path, size):
    """-> [1, 3, height, width] in -1..1, the longer side `size`, both sides multiples of 64."""
    from PIL import Image, ImageOps
    photo = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    longer = max(photo.size)
    sides = [max(64, round(side * size / longer / 64) * 64) for side in photo.size]
    pixels = numpy.asarray(photo.resize(sides, Image.Resampling.BICUBIC), dtype=numpy.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None]


def encode(pipe, photo, timestep, noise, seed):
    """The latent image at `timestep`, with its noise or (as published DiffSeg) without."""
    with torch.no_grad():
        latents = pipe.vae.encode(photo.to(pipe.device, pipe.vae.dtype)).latent_dist.mode()
    latents = latents * pipe.vae.config.scaling_factor
    if noise:  # as the model was trained, whatever the scheduler that makes its pictures
        kept = pipe.scheduler.alphas_cumprod[timestep].to(latents)
        dust = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
        latents = kept.sqrt() * latents + (1 - kept).sqrt() * dust.to(latents)
    return latents


def embed(pipe, prompt):
    """-> the text as the UNet takes it, and the text of each token."""
    ids = pipe.tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt",
                         max_length=pipe.tokenizer.model_max_length).input_ids
    with torch.no_grad():
        text = pipe.text_encoder(ids.to(pipe.device))[0]
    return text, pipe.tokenizer.convert_ids_to_tokens(ids[0].tolist())


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo")
    parser.add_argument("--prompt", default="", help="for the names; none: unconditional")
    parser.add_argument("--model", default="stable-diffusion-v1-5/stable-diffusion-v1-5",
                        help="of the Stable Diffusion 1.x or 2.x family: hub id or folder")
    parser.add_argument("--timestep", type=int, default=300, choices=range(1000), metavar="STEP",
                        help="0..999 (default %(default)s)")
    parser.add_argument("--noise", action="store_true", help="add the noise of the timestep")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--size", type=int, default=512,
                        help="longer side in pixels (default %(default)s)")
    parser.add_argument("--queries-keys", action="store_true",
                        help="queries and keys of every layer instead of their attention")
    parser.add_argument("--half", action="store_true", help="float16 instead of float32")
    parser.add_argument("--format", choices=("npz", "safetensors"), default="npz")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("-o", "--output", help="prefix of the files (default: the photo's name)")
    return parser.parse_args(arguments)


def main():
    options = parse()
    from diffusers import StableDiffusionPipeline
    half = options.device.startswith("cuda")
    pipe = StableDiffusionPipeline.from_pretrained(
        options.model, torch_dtype=torch.float16 if half else torch.float32,
        safety_checker=None, requires_safety_checker=False).to(options.device)
    latents = encode(pipe, read_photo(options.photo, options.size), options.timestep,
                     options.noise, options.seed)
    text, tokens = embed(pipe, options.prompt)
    recorder = record(pipe.unet, latents, options.timestep, text, options.queries_keys)
    prefix = options.output or os.path.splitext(os.path.basename(options.photo))[0]
    print(save(recorder, prefix, tokens, "." + options.format, options.half, model=options.model,
               prompt=options.prompt, timestep=options.timestep))


if __name__ == "__main__":
    main()
