// SPDX-License-Identifier: MIT
// Golden cases of which the largest numbers of each row are kept.
#include <algorithm>
#include <diffseg/attention/top_k.hpp>
#include <diffseg/labels/evaluate.hpp>
#include <iostream>

#include "support/catch.hpp"
#include "support/golden_labels.hpp"

using diffseg::Index;
using diffseg::Labels;
using diffseg::Layer;
using diffseg::Layers;
using golden::agreement;
using golden::Case;

namespace {

/// The k largest numbers of each row, all where there are fewer.
Layers largest(const Layers& layers, Index k, bool spread) {
  Layers result;
  for (const Layer& layer : layers) {
    result.push_back(top_k(layer, std::min(k, layer.keys.cells())));
    result.back().spread_rest = spread;
  }
  return result;
}

/// Adjusted Rand index, 1 for the same partition.
double rand_index(const Labels& a, const Labels& b) {
  return diffseg::score(diffseg::contingency(a, b)).adjusted_rand_index;
}

}  // namespace

TEST_CASE("golden: a share of the largest numbers comes near the labels of all",
          "[law][golden][long]") {
  for (const Case& test : golden::load_all(DIFFSEG_GOLDEN_DIR)) {
    const Layers attention = golden::layers<float>(test);
    const Labels exact = labels_of(test, attention);
    // All of them: the same bits, so the same labels.
    CHECK(labels_of(test, largest(attention, test.grid().cells(), true)).values == exact.values);
    for (const Index k : {64, 256, 1024}) {
      const Labels zeros = labels_of(test, largest(attention, k, false), 1e-9);
      const Labels spread = labels_of(test, largest(attention, k, true));
      std::cout << test.name << ", " << k << " numbers a row: adjusted Rand index with zeros "
                << rand_index(zeros, exact) << " (" << 100 * agreement(zeros, exact)
                << " % equal), with the rest spread " << rand_index(spread, exact) << " ("
                << 100 * agreement(spread, exact) << " % equal)\n";
      // The bundled cases keep more than chelsea and rocket_refined do.
      const bool bundled = test.name == "coffee" || test.name == "astronaut_grid8";
      if (k == 64 && bundled) CHECK(rand_index(spread, exact) >= 0.6);
      if (k == 256) CHECK(rand_index(spread, exact) >= (bundled ? 0.8 : 0.55));
      if (k == 1024) CHECK(rand_index(spread, exact) >= (bundled ? 0.9 : 0.75));
    }
  }
}
