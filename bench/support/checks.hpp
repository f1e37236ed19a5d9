// SPDX-License-Identifier: MIT
// Is a result right? Asked once before it is timed; the answer is a complaint, empty when it is.
#pragma once

#include <algorithm>
#include <cmath>
#include <diffseg/diffseg.hpp>
#include <span>
#include <string>

#include "baselines.hpp"

namespace bench {

using diffseg::detail::message;

/// Maps of `coffee` against the expected rows of the golden case, 1e-6.
inline std::string check_maps(const Maps<float>& maps) {
  const auto ids = coffee_array("aggregate_row_ids").as<Index>();
  const auto expected = coffee_array("aggregate_rows").as<float>();
  float worst = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Eigen::Map<const Eigen::RowVectorXf> row(
        expected.data() + static_cast<Index>(i) * maps.tokens(), maps.tokens());
    worst = std::max(worst, (maps.rows().row(ids[i]) - row).cwiseAbs().maxCoeff());
  }
  return worst <= 1e-6F ? "" : message("maps differ from the golden rows by ", worst);
}

/// Similarities against the divergences of all pairs from matrix products: the same pairs, up to
/// those within the products' rounding of the ceiling, and the same values.
inline std::string check_similarities(const Similarities<float>& similarities) {
  constexpr float rounding = 2e-4F;
  FullProducts products(similarities.maps, similarities.anchors);
  products.multiply();
  const Matrix<float> all = products.divergences();
  const auto ceiling = static_cast<float>(similarities.ceiling);
  Index sure = (all.array() < ceiling - rounding).count();
  Index possible = (all.array() < ceiling + rounding).count();
  const Index kept = similarities.divergences.nonZeros();
  if (kept < sure || kept > possible) {
    return message("expected ", sure, "..", possible, " pairs, got ", kept);
  }
  float worst = 0;
  using Row = Eigen::SparseMatrix<float, Eigen::RowMajor, int>::InnerIterator;
  for (Index anchor = 0; anchor < all.rows(); ++anchor) {
    for (Row match(similarities.divergences, anchor); match; ++match) {
      worst = std::max(worst, std::abs(match.value() - all(anchor, match.col())));
    }
  }
  return worst <= rounding ? "" : message("divergences differ by ", worst);
}

/// Proposals of `coffee` against the counts and rows of the golden case.
inline std::string check_proposals(const Proposals<float>& proposals) {
  const auto file = coffee_array("proposals");
  if (proposals.rows.rows() != file.shape.at(0)) {
    return message("expected ", file.shape.at(0), " proposals, got ", proposals.rows.rows());
  }
  const auto values = file.as<float>();
  const Eigen::Map<const Matrix<float>> expected(values.data(), file.shape.at(0), file.shape.at(1));
  const float worst = (proposals.rows - expected).cwiseAbs().maxCoeff();
  return worst <= 1e-6F ? "" : message("proposals differ by ", worst);
}

/// Labels with reference ids against those of the golden case, 99.9 % of the pixels.
inline std::string check_labels(const diffseg::Labels& labels) {
  const double equal = agreement(labels.values, coffee_array("labels").as<std::int32_t>());
  return equal >= 0.999 ? "" : message("labels agree with the golden ones on ", equal);
}

}  // namespace bench
