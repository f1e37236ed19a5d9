#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The attention of a diffusion model for one photo, as files for diffseg.

    export_attention.py photo.jpg --prompt "a cat in the grass" -o cat
    segment --attention cat.json --image photo.jpg --names cat,grass

One pass of the UNet or transformer writes cat.npz (or .safetensors) and the manifest cat.json.
Needs torch, pillow and diffusers with transformers; docs/real_attention.md explains the choices. As
a module: `record` works with any UNet of diffusers and the transformers of SD3 and Flux, `save`
writes what it found.
"""
import argparse
import contextlib
import math
import os
import sys

import torch

from attention_files import (ExportError, fit_sides, photo_stem, pixels, read_photo,
                             write_attention)

# Where transformers with joint attention put the text's tokens.
TEXT_FIRST = {"FluxTransformer2DModel": True, "SD3Transformer2DModel": False}


class Recorder:
    """An attention processor that computes what diffusers' own does, and keeps a copy.

    Self-attention is summed over heads and layers of one grid as it comes, so that no more than
    one head of a layer is held in full; with `queries_keys` each layer's queries and keys are kept
    instead.
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
                             f"{self.height} x {self.width}: no grid of the model has as many")
        return rows, columns

    def keep(self, kind, query, key, scale):
        """Queries [heads, tokens, depth] and keys of one layer, head by head."""
        if self.queries_keys and kind == "self":
            self.pairs.append((self.grid(query.shape[1]), query.cpu(), key.cpu(), scale))
            return
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
        self.keep("cross" if crossing else "self", query[-1], key[-1], scale)
        result = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        result = attn.to_out[1](attn.to_out[0](result.transpose(1, 2).flatten(2)))
        if attn.residual_connection:
            result = result + hidden_states
        return result / attn.rescale_output_factor


@contextlib.contextmanager
def joint_attention(recorder, text_first):
    """While it lasts, all attention of image and text tokens in one sequence is recorded: the
    image's queries and keys, as the soft-max gets them. The text's tokens are left out."""
    original = torch.nn.functional.scaled_dot_product_attention
    cells = recorder.height * recorder.width

    def listen(query, key, value, attn_mask=None, *rest, **more):
        if attn_mask is not None:
            raise ValueError("attention with a mask is not recorded")
        if query.shape[-2] == key.shape[-2]:
            image = slice(-cells, None) if text_first else slice(cells)
            scale = more.get("scale") or 1 / math.sqrt(query.shape[-1])
            recorder.keep("self", query[-1, :, image], key[-1, :, image], scale)
        return original(query, key, value, attn_mask, *rest, **more)

    torch.nn.functional.scaled_dot_product_attention = listen
    try:
        yield
    finally:
        torch.nn.functional.scaled_dot_product_attention = original


def record_joint(model, latents, timestep, text, queries_keys, more):
    """record() for a transformer of TEXT_FIRST."""
    flux = type(model).__name__.startswith("Flux")
    side = 2 if flux else model.config.patch_size
    batch, channels, height, width = latents.shape
    if height % side or width % side:
        raise ValueError(f"the sides of latents must be multiples of {side}, got {height} x {width}")
    recorder = Recorder(height // side, width // side, queries_keys)
    if flux:  # a row of 2 x 2 latent pixels for each cell, and where it lies
        latents = latents.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).flatten(3)
        latents = latents.flatten(1, 2)
        rows, columns = torch.meshgrid(torch.arange(height // 2), torch.arange(width // 2),
                                       indexing="ij")
        places = torch.stack([0 * rows, rows, columns], -1).flatten(0, 1).to(latents)
        more = {"img_ids": places, "txt_ids": places.new_zeros(text.shape[1], 3), **more}
    times = torch.as_tensor(timestep, device=latents.device).expand(batch)
    with torch.no_grad(), joint_attention(recorder, TEXT_FIRST[type(model).__name__]):
        model(hidden_states=latents, timestep=times, encoder_hidden_states=text, **more)
    if not recorder.pairs and not recorder.sums["self"]:
        raise ValueError("no attention was recorded: the model uses an attention backend of its own; "
                         "set it to native")
    return recorder


def record(model, latents, timestep, text, queries_keys=False, **more):
    """One pass of `model` over `latents` [batch, channels, height, width] -> Recorder.

    `model`: a UNet, or the transformer of SD3 or Flux (whose latents are packed here). `timestep` as
    it takes it; `text` [batch, tokens, channels]; `more` goes to the model (as SDXL's
    added_cond_kwargs, SD3's and Flux's pooled_projections). Batch entries but the last are not
    recorded. A UNet keeps its own processors afterwards. Errors: ValueError.
    """
    if type(model).__name__ in TEXT_FIRST:
        return record_joint(model, latents, timestep, text, queries_keys, more)
    if not hasattr(model, "set_attn_processor"):
        raise ValueError(f"the model must be a UNet, or one of {', '.join(TEXT_FIRST)}, got "
                         f"{type(model).__name__}")
    recorder = Recorder(*latents.shape[-2:], queries_keys=queries_keys)
    processors = dict(model.attn_processors)
    model.set_attn_processor(recorder)
    try:
        with torch.no_grad():
            model(latents, timestep, encoder_hidden_states=text, **more)
    finally:
        model.set_attn_processor(processors)
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
    return write_attention(prefix, arrays, layers, cross, tokens, suffix, **about)


def encode(pipe, photo, timestep, noise, seed):
    """The latent image at `timestep`, with its noise or (as published DiffSeg) without."""
    vae = pipe.vae.float() if pipe.vae.config.get("force_upcast") else pipe.vae
    with torch.no_grad():
        latents = vae.encode(photo.to(pipe.device, vae.dtype)).latent_dist.mode()
    latents = (latents - (vae.config.get("shift_factor") or 0)) * vae.config.scaling_factor
    if noise:  # as the model was trained, whatever the scheduler that makes its pictures
        dust = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed)).to(latents)
        if hasattr(pipe.scheduler, "alphas_cumprod"):
            kept = pipe.scheduler.alphas_cumprod[timestep].to(latents)
            latents = kept.sqrt() * latents + (1 - kept).sqrt() * dust
        else:  # straight from photo to noise
            latents = latents + timestep / 1000 * (dust - latents)
    return latents


def read_tokens(pipe, prompt):
    """-> the prompt's token ids [1, tokens] of the first text encoder, and the text of each."""
    ids = pipe.tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt",
                         max_length=pipe.tokenizer.model_max_length).input_ids
    return ids, pipe.tokenizer.convert_ids_to_tokens(ids[0].tolist())


def embed_sd(pipe, prompt, timestep, photo):
    ids, tokens = read_tokens(pipe, prompt)
    return pipe.unet, timestep, pipe.text_encoder(ids.to(pipe.device))[0], tokens, {}


def embed_sdxl(pipe, prompt, timestep, photo):
    text, _, pooled, _ = pipe.encode_prompt(prompt, do_classifier_free_guidance=False)
    sides = list(photo.shape[-2:])
    times = torch.tensor([sides + [0, 0] + sides]).to(pooled)
    return (pipe.unet, timestep, text, read_tokens(pipe, prompt)[1],
            {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": times}})


def embed_sd3(pipe, prompt, timestep, photo):
    text, _, pooled, _ = pipe.encode_prompt(prompt, None, None, do_classifier_free_guidance=False)
    return pipe.transformer, timestep, text, [], {"pooled_projections": pooled}


def embed_flux(pipe, prompt, timestep, photo):
    text, pooled, _ = pipe.encode_prompt(prompt, None)
    more = {"pooled_projections": pooled}
    if pipe.transformer.config.guidance_embeds:
        more["guidance"] = torch.full([1], 3.5).to(text)
    return pipe.transformer, timestep / 1000, text, [], more


# By the pipeline's class: what it makes of prompt, timestep and photo [1, 3, height, width] -> the
# model, its timestep, the text, the text of the cross-attention's tokens, and what else it needs;
# its own size in pixels; the number type on a GPU.
FAMILIES = {"StableDiffusionPipeline": (embed_sd, 512, torch.float16),
            "StableDiffusionXLPipeline": (embed_sdxl, 1024, torch.float16),
            "StableDiffusion3Pipeline": (embed_sd3, 1024, torch.float16),
            "FluxPipeline": (embed_flux, 1024, torch.bfloat16)}


def preset(pipe, name):
    """What the manifest calls the model: as model_shapes() does, or else `name`."""
    kinds = {"StableDiffusionXLPipeline": "sdxl", "StableDiffusion3Pipeline": "sd3",
             "FluxPipeline": "flux"}
    if type(pipe).__name__ in kinds:
        return kinds[type(pipe).__name__]
    config = pipe.unet.config
    known = {768: "sd15", 1024: "sd21_768" if config.sample_size == 96 else "sd21_base"}
    return known.get(config.cross_attention_dim, name)


def load(name, device):
    """-> the pipeline, and its family."""
    from diffusers import DiffusionPipeline
    kind = DiffusionPipeline.load_config(name)["_class_name"]
    if kind not in FAMILIES:
        raise ExportError(f"{name}: must be a {', '.join(FAMILIES)}, got {kind}")
    more = {"safety_checker": None, "requires_safety_checker": False}
    number = FAMILIES[kind][2] if device.startswith("cuda") else torch.float32
    pipe = DiffusionPipeline.from_pretrained(
        name, torch_dtype=number, **(more if kind == "StableDiffusionPipeline" else {}))
    return pipe.to(device), FAMILIES[kind]


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
    photo = read_photo(options.photo)
    pipe, (embed, size, _) = load(options.model, options.device)
    sides = fit_sides(photo, options.size or size, 64)
    photo = torch.from_numpy(pixels(photo, sides, [0.5] * 3, [0.5] * 3))  # -1..1
    latents = encode(pipe, photo, options.timestep, options.noise, options.seed)
    with torch.no_grad():
        model, timestep, text, tokens, more = embed(pipe, options.prompt, options.timestep, photo)
    recorder = record(model, latents.to(model.dtype), timestep, text, options.queries_keys, **more)
    return save(recorder, options.output or photo_stem(options.photo), tokens, "." + options.format,
                options.half, model=preset(pipe, options.model), prompt=options.prompt,
                timestep=options.timestep)


def main():
    try:
        print(export(parse()))
    except (ExportError, OSError, ValueError) as error:
        sys.exit(f"export_attention: {error}")


if __name__ == "__main__":
    main()
