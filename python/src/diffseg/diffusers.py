# SPDX-License-Identifier: MIT
"""The attention of a diffusion model: for a photo, or for a picture while it is generated.

    recording = diffseg.diffusers.record(pipe, "cat.jpg", "a cat in the grass")

    with diffseg.diffusers.record(pipe) as recording:
        image = pipe("a cat in the grass").images[0]

    labels = recording.segment()            # of the photo's or picture's size
    recording.names(labels, ["cat", "grass"]).groups

Pipelines of Stable Diffusion 1.x, 2.x, XL and 3.x and of Flux. Means over heads, layers and steps are
made where the model's tensors lie; one mean for each grid is copied to the CPU at the end. Needs torch,
diffusers, transformers and pillow; docs/real_attention.md explains the choices."""
from __future__ import annotations

import contextlib
import math
from collections.abc import Container, Iterator, Sequence
from typing import Any, overload

import torch

from diffseg._recording import Recording, RecordError, fit_sides, open_photo, pixels

AT_ONCE = 1 << 24  # numbers of attention, 64 MB
# Where transformers with joint attention put the text's tokens.
TEXT_FIRST = {"FluxTransformer2DModel": True, "SD3Transformer2DModel": False}


class Recorder:
    """An attention processor that computes what diffusers' own does, and keeps a copy.

    Self-attention is summed over heads and layers of one grid as it comes, so that no more than
    one head of a layer, or AT_ONCE numbers of several, is held in full; with `queries_keys` each
    layer's queries and keys are kept instead.
    Cross-attention is small and always summed. Of a guidance batch the last image, the
    conditional half, is kept. `height`, `width`: of the cells that the model sees; `active`: whether
    what is computed is kept.
    """

    def __init__(self, height: int = 0, width: int = 0, queries_keys: bool = False):
        self.height, self.width, self.queries_keys = height, width, queries_keys
        self.active = True
        self.sums: dict[str, dict[tuple[int, int], list[Any]]]
        self.sums = {"self": {}, "cross": {}}  # (rows, columns): [sum of means over heads, layers]
        self.pairs: list[tuple[Any, ...]] = []  # ((rows, columns), queries, keys, scale)

    def grid(self, tokens: int) -> tuple[int, int]:
        """The grid of `tokens` cells that the latent image has at this depth."""
        rows, columns = self.height, self.width
        while rows * columns > tokens:  # a convolution of stride 2, padded
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
        if rows * columns != tokens:
            raise RecordError(f"attention of {tokens} tokens on a latent image of "
                              f"{self.height} x {self.width}: no grid of the model has as many")
        return rows, columns

    def keep(self, kind: str, query: Any, key: Any, scale: float) -> None:
        """Queries [heads, tokens, depth] and keys of one layer, head by head."""
        if not self.active:
            return
        if self.queries_keys and kind == "self":
            self.pairs.append((self.grid(query.shape[1]), query.cpu(), key.cpu(), scale))
            return
        mean = query.new_zeros(query.shape[1], key.shape[1], dtype=torch.float32)
        heads = max(1, AT_ONCE // mean.numel())  # few calls matter to a GPU
        query, key = query.float() * scale, key.float().transpose(1, 2)
        for first in range(0, len(query), heads):
            some = slice(first, first + heads)
            mean += (query[some] @ key[some]).softmax(-1).sum(0)
        mean /= len(query)
        total = self.sums[kind].setdefault(self.grid(len(mean)), [torch.zeros_like(mean), 0])
        total[0] += mean
        total[1] += 1

    def __call__(self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None,
                 attention_mask: Any = None, temb: Any = None, *args: Any, **kwargs: Any) -> Any:
        if hidden_states.ndim != 3 or attn.group_norm is not None or attn.spatial_norm is not None:
            raise RecordError("only the attention of transformer blocks is recorded, [batch, tokens, "
                              "channels]")
        if attention_mask is not None:
            raise RecordError("attention with a mask is not recorded")
        crossing = encoder_hidden_states is not None
        context = encoder_hidden_states if crossing else hidden_states
        if crossing and attn.norm_cross:
            context = attn.norm_encoder_hidden_states(context)

        def split(rows: Any) -> Any:  # [batch, heads, tokens, depth]
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

    def describe(self) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
        """-> the arrays by name, and the manifest's layers and cross; float32, on the CPU."""
        arrays: dict[str, Any] = {}
        layers: list[dict[str, Any]] = []
        cross: list[dict[str, Any]] = []

        def add(name: str, tensor: Any) -> str:
            arrays[name] = tensor.float().contiguous().cpu().numpy()
            return name

        for entries, key in ((layers, "self"), (cross, "cross")):
            for (rows, columns), (total, count) in sorted(self.sums[key].items(), reverse=True):
                name = add(f"{key}_{rows}x{columns}", (total / count)[None])
                entries.append({"array": name, "queries": [rows, columns]})
        grids = [grid for grid, *_ in self.pairs]
        for i, (grid, query, key, scale) in enumerate(self.pairs):
            # As if the layers of one grid had been averaged first.
            weight = math.sqrt(grid[0] * grid[1]) / grids.count(grid)
            layers.append({"kind": "queries_keys", "query": add(f"q_{i}", query),
                           "key": add(f"k_{i}", key), "scale": scale, "queries": list(grid),
                           "weight": weight})
        return arrays, layers, cross

    def require_some(self) -> None:
        """Refuses to have recorded nothing."""
        if not self.pairs and not self.sums["self"]:
            raise RecordError("no attention was recorded: the model did not run, or uses an attention "
                              "backend of its own; set it to native")

    def recording(self, tokens: Sequence[str] = (), size: tuple[int, int] | None = None,
                  **about: Any) -> Recording:
        """-> Recording. `tokens`: the text of each column of the cross-attention; `size`: of the
        picture; `about`: model, prompt, timestep."""
        self.require_some()
        arrays, layers, cross = self.describe()
        return Recording(arrays, layers, cross, list(tokens) if cross else [], about, size)


@contextlib.contextmanager
def joint_attention(recorder: Recorder, text_first: bool) -> Iterator[None]:
    """While it lasts, all attention of image and text tokens in one sequence is recorded: the
    image's queries and keys, as the soft-max gets them. The text's tokens are left out."""
    original = torch.nn.functional.scaled_dot_product_attention

    def listen(query: Any, key: Any, value: Any, attn_mask: Any = None, *rest: Any,
               **more: Any) -> Any:
        if recorder.active and attn_mask is not None:
            raise RecordError("attention with a mask is not recorded")
        if recorder.active and query.shape[-2] == key.shape[-2]:
            cells = recorder.height * recorder.width
            image = slice(-cells, None) if text_first else slice(cells)
            scale = more.get("scale") or 1 / math.sqrt(query.shape[-1])
            recorder.keep("self", query[-1, :, image], key[-1, :, image], scale)
        return original(query, key, value, attn_mask, *rest, **more)

    torch.nn.functional.scaled_dot_product_attention = listen
    try:
        yield
    finally:
        torch.nn.functional.scaled_dot_product_attention = original


@contextlib.contextmanager
def _own_processors(model: Any, recorder: Recorder) -> Iterator[None]:
    """While it lasts, a UNet's attention is computed and kept by the recorder."""
    processors = dict(model.attn_processors)
    model.set_attn_processor(recorder)
    try:
        yield
    finally:
        model.set_attn_processor(processors)


def _cells(model: Any, hidden: Any, more: dict[str, Any]) -> tuple[int, int]:
    """The grid of the cells that `model` gets as `hidden`: latents, or Flux's rows with their places."""
    if hidden.ndim == 3:
        places = more["img_ids"].reshape(-1, more["img_ids"].shape[-1])
        rows, columns = (places.max(0).values - places.min(0).values)[1:].tolist()
        return int(rows) + 1, int(columns) + 1
    side = model.config.patch_size if type(model).__name__ in TEXT_FIRST else 1
    return hidden.shape[-2] // side, hidden.shape[-1] // side


@contextlib.contextmanager
def listening(model: Any, recorder: Recorder, steps: Container[int] | None = None) -> Iterator[None]:
    """While it lasts, the passes of `model` are recorded: all, or those numbered in `steps`, from 0.

    `model`: a UNet, or a transformer of TEXT_FIRST; it gets its own attention back. Errors:
    ValueError."""
    joint = type(model).__name__ in TEXT_FIRST
    if not joint and not hasattr(model, "set_attn_processor"):
        raise RecordError(f"the model must be a UNet, or one of {', '.join(TEXT_FIRST)}, got "
                          f"{type(model).__name__}")
    passes = 0

    def before(module: Any, inputs: tuple[Any, ...], more: dict[str, Any]) -> None:
        nonlocal passes
        recorder.active = steps is None or passes in steps
        passes += 1
        hidden = inputs[0] if inputs else more.get("sample", more.get("hidden_states"))
        sides = _cells(model, hidden, more)
        if (recorder.height, recorder.width) != sides and (recorder.pairs or recorder.sums["self"]):
            raise RecordError(f"a recording is of pictures of one size, got {sides[0]} x {sides[1]} "
                              f"cells behind {recorder.height} x {recorder.width}")
        recorder.height, recorder.width = sides

    def after(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        recorder.active = False

    recorder.active = False  # what runs besides, as text encoders and VAE, is not recorded
    hooks = [model.register_forward_pre_hook(before, with_kwargs=True),
             model.register_forward_hook(after, always_call=True)]
    own = (joint_attention(recorder, TEXT_FIRST[type(model).__name__]) if joint
           else _own_processors(model, recorder))
    try:
        with own:
            yield
    finally:
        for hook in hooks:
            hook.remove()


def _packed(latents: Any, text: Any, more: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Flux's input: a row of 2 x 2 latent pixels for each cell, and where it lies."""
    height, width = latents.shape[-2:]
    latents = latents.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).flatten(3)
    latents = latents.flatten(1, 2)
    rows, columns = torch.meshgrid(torch.arange(height // 2), torch.arange(width // 2),
                                   indexing="ij")
    places = torch.stack([0 * rows, rows, columns], -1).flatten(0, 1).to(latents)
    return latents, {"img_ids": places, "txt_ids": places.new_zeros(text.shape[1], 3), **more}


def record_pass(model: Any, latents: Any, timestep: Any, text: Any, queries_keys: bool = False,
                **more: Any) -> Recorder:
    """One pass of `model` over `latents` [batch, channels, height, width].

    `model`: a UNet, or the transformer of SD3 or Flux (whose latents are packed here). `timestep` as
    it takes it; `text` [batch, tokens, channels]; `more` goes to the model (as SDXL's
    added_cond_kwargs, SD3's and Flux's pooled_projections). Batch entries but the last are not
    recorded. A model keeps its own attention afterwards. Errors: ValueError.
    """
    recorder = Recorder(queries_keys=queries_keys)
    if type(model).__name__ not in TEXT_FIRST:
        with torch.no_grad(), listening(model, recorder):
            model(latents, timestep, encoder_hidden_states=text, **more)
        return recorder
    flux = type(model).__name__.startswith("Flux")
    side = 2 if flux else model.config.patch_size
    batch, _, height, width = latents.shape
    if height % side or width % side:
        raise RecordError(f"the sides of latents must be multiples of {side}, got {height} x {width}")
    times = torch.as_tensor(timestep, device=latents.device).expand(batch)
    if flux:
        latents, more = _packed(latents, text, more)
    with torch.no_grad(), listening(model, recorder):
        model(hidden_states=latents, timestep=times, encoder_hidden_states=text, **more)
    recorder.require_some()
    return recorder


def encode(pipe: Any, photo: Any, timestep: int, noise: bool, seed: int) -> Any:
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


def read_tokens(pipe: Any, prompt: str) -> tuple[Any, list[str]]:
    """-> the prompt's token ids [1, tokens] of the first text encoder, and the text of each."""
    ids = pipe.tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt",
                         max_length=pipe.tokenizer.model_max_length).input_ids
    return ids, pipe.tokenizer.convert_ids_to_tokens(ids[0].tolist())


def embed_sd(pipe: Any, prompt: str, timestep: int, photo: Any) -> tuple[Any, ...]:
    ids, tokens = read_tokens(pipe, prompt)
    return pipe.unet, timestep, pipe.text_encoder(ids.to(pipe.device))[0], tokens, {}


def embed_sdxl(pipe: Any, prompt: str, timestep: int, photo: Any) -> tuple[Any, ...]:
    text, _, pooled, _ = pipe.encode_prompt(prompt, do_classifier_free_guidance=False)
    sides = list(photo.shape[-2:])
    times = torch.tensor([sides + [0, 0] + sides]).to(pooled)
    return (pipe.unet, timestep, text, read_tokens(pipe, prompt)[1],
            {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": times}})


def embed_sd3(pipe: Any, prompt: str, timestep: int, photo: Any) -> tuple[Any, ...]:
    text, _, pooled, _ = pipe.encode_prompt(prompt, None, None, do_classifier_free_guidance=False)
    return pipe.transformer, timestep, text, [], {"pooled_projections": pooled}


def embed_flux(pipe: Any, prompt: str, timestep: int, photo: Any) -> tuple[Any, ...]:
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


def preset(pipe: Any) -> str:
    """What the manifest calls the model: as model_shapes() does, or else where it came from."""
    kinds = {"StableDiffusionXLPipeline": "sdxl", "StableDiffusion3Pipeline": "sd3",
             "FluxPipeline": "flux"}
    if type(pipe).__name__ in kinds:
        return kinds[type(pipe).__name__]
    config = pipe.unet.config
    known = {768: "sd15", 1024: "sd21_768" if config.sample_size == 96 else "sd21_base"}
    own = getattr(pipe, "name_or_path", None) or type(pipe).__name__
    return known.get(config.cross_attention_dim, str(own))


def _record_photo(pipe: Any, photo: Any, prompt: str, timestep: int, noise: bool, seed: int,
                  size: int | None, queries_keys: bool) -> Recording:
    family = FAMILIES.get(type(pipe).__name__)
    if family is None:
        raise RecordError(f"a photo needs a pipeline, {', '.join(FAMILIES)}, got {type(pipe).__name__}")
    if timestep not in range(1000):
        raise RecordError(f"timestep must be in 0..999, got {timestep}")
    embed, own_size, _ = family
    image = open_photo(photo)
    sides = fit_sides(image, size or own_size, 64)
    values = torch.from_numpy(pixels(image, sides, [0.5] * 3, [0.5] * 3))  # -1..1
    latents = encode(pipe, values, timestep, noise, seed)
    with torch.no_grad():
        model, time, text, tokens, more = embed(pipe, prompt, timestep, values)
    recorder = record_pass(model, latents.to(model.dtype), time, text, queries_keys, **more)
    return recorder.recording(tokens, (image.height, image.width), model=preset(pipe), prompt=prompt,
                              timestep=timestep)


class Generation:
    """Records what a pipeline or model does within a `with`: `record(pipe)` makes it."""

    def __init__(self, source: Any, steps: Container[int] | None):
        self.source, self.steps = source, steps
        self.model = getattr(source, "unet", None) or getattr(source, "transformer", None) or source
        self.recorder, self.result = Recorder(), Recording({}, [])
        self.prompt: str | None = None
        self.stack = contextlib.ExitStack()

    def __enter__(self) -> Recording:
        self.recorder, self.result, self.prompt = Recorder(), Recording({}, []), None
        with contextlib.ExitStack() as stack:
            stack.enter_context(listening(self.model, self.recorder, self.steps))
            if hasattr(self.source, "encode_prompt"):
                stack.enter_context(self._hearing_prompts())
            self.stack = stack.pop_all()
        return self.result

    @contextlib.contextmanager
    def _hearing_prompts(self) -> Iterator[None]:
        original = self.source.encode_prompt

        def encode_prompt(*inputs: Any, **more: Any) -> Any:
            prompt = inputs[0] if inputs else more.get("prompt")
            self.prompt = prompt[-1] if isinstance(prompt, (list, tuple)) and prompt else prompt
            return original(*inputs, **more)

        self.source.encode_prompt = encode_prompt
        try:
            yield
        finally:
            del self.source.encode_prompt  # the class's own is seen again

    def _size(self) -> tuple[int, int] | None:
        """Of the pictures, pixels."""
        scale = getattr(self.source, "vae_scale_factor", None)
        if not scale:
            return None
        name = type(self.model).__name__
        side = 2 if name.startswith("Flux") else (
            self.model.config.patch_size if name in TEXT_FIRST else 1)
        return self.recorder.height * side * scale, self.recorder.width * side * scale

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.stack.close()
        if kind is not None:
            return
        about: dict[str, Any] = {}
        if type(self.source).__name__ in FAMILIES:
            about["model"] = preset(self.source)
        if self.prompt is not None:
            about["prompt"] = self.prompt
        tokens: Sequence[str] = ()
        if self.prompt is not None and self.recorder.sums["cross"]:
            tokens = read_tokens(self.source, self.prompt)[1]
        made = self.recorder.recording(tokens, self._size(), **about)
        vars(self.result).update(vars(made))


@overload
def record(source: Any, photo: None = None, *, steps: Container[int] | None = None) -> Generation: ...
@overload
def record(source: Any, photo: Any, prompt: str = "", *, timestep: int = 300, noise: bool = False,
           seed: int = 0, size: int | None = None, queries_keys: bool = False) -> Recording: ...


def record(source: Any, photo: Any = None, prompt: str = "", *, timestep: int = 300,
           noise: bool = False, seed: int = 0, size: int | None = None, queries_keys: bool = False,
           steps: Container[int] | None = None) -> Recording | Generation:
    """With a photo: a Recording of one pass over it. Without: a context whose Recording is complete
    when it ends, of the picture that is generated meanwhile:

        with record(pipe) as recording:
            image = pipe("a cat in the grass").images[0]

    `source`: a pipeline of FAMILIES, for generation also a UNet or transformer that you run yourself.
    `photo`: a file, an image of Pillow, or an array [height, width, 3] of bytes or 0..1. `prompt`: for
    names. `timestep`: 0..999; `noise` adds that of the timestep, of `seed`. `size`: longer side of the
    photo as the model sees it, pixels (default the model's own). `queries_keys`: each layer's, instead of
    means. `steps`: of a generation, the model's passes to record, from 0 (default all); of several
    pictures at a time the last one is recorded, with guidance its conditional half. Errors: ValueError."""
    if photo is not None:
        if steps is not None:
            raise RecordError("steps are of a picture that is generated; a photo has one pass")
        return _record_photo(source, photo, prompt, timestep, noise, seed, size, queries_keys)
    if queries_keys:
        raise RecordError("queries_keys: of a picture that is generated means over the steps are kept")
    return Generation(source, steps)
