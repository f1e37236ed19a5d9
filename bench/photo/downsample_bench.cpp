// SPDX-License-Identifier: MIT
#include "../support/report.hpp"

namespace {

using bench::Index;

/// A photo of 12 megapixels to 512 x 512: its mean colour stays.
void downsample_photo(benchmark::State& state) {
  static const auto photo = bench::synthetic_photo({3000, 4000});
  const diffseg::DownsamplePhoto stage{{512, 512}};
  const auto mean = [](const diffseg::Image<float>& image) {
    return Eigen::Map<const Eigen::ArrayXf>(image.values.data(),
                                            static_cast<Index>(image.values.size()))
        .cast<double>()
        .mean();
  };
  static const std::string complaint = [&] {
    const double moved = std::abs(mean(stage(photo)) - mean(photo));
    return moved <= 1e-5 ? std::string() : bench::message("the mean moved by ", moved);
  }();
  diffseg::Image<float> out;
  bench::run(state, complaint, static_cast<Index>(photo.values.size() * sizeof(float)), 0,
             [&] { stage(photo, out); });
}

BENCHMARK(downsample_photo)->Apply(bench::threads);

}  // namespace
