// SPDX-License-Identifier: MIT
// What the self-attention of well-known models looks like, and which part of it is the image's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "diffseg/attention/layer_parts.hpp"

namespace diffseg {

/// Self-attention layers of one size within a model.
struct AttentionShape {
  GridSize grid;       ///< of the image's tokens
  Index heads = 0;     ///< of one image; a guidance batch has twice as many
  Index depth = 0;     ///< numbers of a query and of a key, per head
  Index layers = 0;    ///< how many such layers one pass makes
  Index leading = 0;   ///< tokens before the image's: class and register tokens, text
  Index trailing = 0;  ///< tokens behind the image's: text

  /// All of one image, those that are no cells too.
  [[nodiscard]] Index tokens() const { return leading + grid.cells() + trailing; }
};

/// The self-attention of a model at its own image size, finest grid first.
struct ModelShapes {
  std::string name;                    ///< as model_shapes() was asked
  GridSize image;                      ///< pixels
  std::vector<AttentionShape> layers;  ///< at least one
};

/// The shapes of "sd15" (Stable Diffusion 1.x, 512 pixels), "sd21_base" (2.1, 512), "sd21_768"
/// (2.1, 768), "sdxl" (1024), "sd3" (medium, 1024; 333 text tokens behind the image's), "flux"
/// (FLUX.1, 1024; 512 text tokens in front), "dinov2" (ViT-B/14, 518; one class token in front).
/// From the models' published configurations; the order of text and image tokens is that of
/// Hugging Face diffusers, heads by level for U-Nets. Errors: std::invalid_argument for another
/// name.
[[nodiscard]] inline ModelShapes model_shapes(std::string_view name) {
  if (name == "sd15") {
    return {
        "sd15",
        {512, 512},
        {{{64, 64}, 8, 40, 5}, {{32, 32}, 8, 80, 5}, {{16, 16}, 8, 160, 5}, {{8, 8}, 8, 160, 1}}};
  }
  if (name == "sd21_base") {
    return {
        "sd21_base",
        {512, 512},
        {{{64, 64}, 5, 64, 5}, {{32, 32}, 10, 64, 5}, {{16, 16}, 20, 64, 5}, {{8, 8}, 20, 64, 1}}};
  }
  if (name == "sd21_768") {
    return {"sd21_768",
            {768, 768},
            {{{96, 96}, 5, 64, 5},
             {{48, 48}, 10, 64, 5},
             {{24, 24}, 20, 64, 5},
             {{12, 12}, 20, 64, 1}}};
  }
  if (name == "sdxl") {
    return {"sdxl", {1024, 1024}, {{{64, 64}, 10, 64, 10}, {{32, 32}, 20, 64, 60}}};
  }
  if (name == "sd3") return {"sd3", {1024, 1024}, {{{64, 64}, 24, 64, 24, 0, 333}}};
  if (name == "flux") return {"flux", {1024, 1024}, {{{64, 64}, 24, 128, 57, 512, 0}}};
  if (name == "dinov2") return {"dinov2", {518, 518}, {{{37, 37}, 12, 64, 12, 1, 0}}};
  detail::require(false,
                  "model_shapes: the name must be one of sd15, sd21_base, sd21_768, sdxl, sd3, ",
                  "flux, dinov2, got '", name, "'");
  return {};
}

/// What DiffSeg does well with on the attention of a model.
struct ModelPreset {
  double threshold = 0;  ///< nats, of every iteration of Merge; 0: none is known, see Choose
  Index layers = 0;      ///< self-attention layers of one pass that `first` and `end` count; 0: any
  Index first_layer = 0;  ///< of those that give the best masks, from 0 on
  Index end_layer = 0;    ///< one past the last; 0: all
};

/// The preset of a model that `text` names in any way, as one of model_shapes() or a hub's id,
/// upper case or lower: 0.3 and layers 6 to 8 of 12 for DINOv2 (measured on its small model, see
/// docs/performance.md), 0.9 as published for Stable Diffusion 1.x and 2.x, nothing for others.
[[nodiscard]] inline ModelPreset model_preset(std::string_view text) {
  std::string name(text);
  for (char& letter : name) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    if (letter == ' ' || letter == '_') letter = '-';
  }
  const auto holds = [&](std::string_view part) { return name.find(part) != std::string::npos; };
  if (holds("dinov2")) return {.threshold = 0.3, .layers = 12, .first_layer = 6, .end_layer = 9};
  for (const std::string_view part :
       {"sd14", "sd15", "sd21", "stable-diffusion-v1", "stable-diffusion-v2", "stable-diffusion-1",
        "stable-diffusion-2"}) {
    if (holds(part)) return {.threshold = 0.9};
  }
  return {};
}

/// `layer` as `model` means it: its number of queries says which of the model's layers it is. Gives
/// it its grid, takes the conditional half of a guidance batch (twice the heads), and leaves tokens
/// out that are not the image's. A view of the same numbers. `layer` may have any grids, {1,
/// tokens} if nothing is known. Errors: std::invalid_argument for tokens or heads that the model
/// does not have; the message lists those it has.
[[nodiscard]] inline Layer model_layer(const ModelShapes& model, const Layer& layer) {
  const Index tokens = layer.queries.cells();
  std::string known;
  for (const AttentionShape& shape : model.layers) {
    known += detail::message(known.empty() ? "" : ", ", shape.tokens(), " tokens with ",
                             shape.heads, " heads");
    if (shape.tokens() != tokens || layer.keys.cells() != tokens) continue;
    if (layer.heads != shape.heads && layer.heads != 2 * shape.heads) continue;
    Layer part = layer.heads == shape.heads ? layer : conditional_half(layer);
    if (tokens != shape.grid.cells()) return select_tokens(part, shape.leading, shape.grid);
    part.queries = part.keys = shape.grid;
    return part;
  }
  detail::require(false, "model_layer: the layer must be one of ", model.name, "'s (", known,
                  ", or twice the heads), got ", tokens, " queries, ", layer.keys.cells(),
                  " keys and ", layer.heads, " heads");
  return {};
}

}  // namespace diffseg
