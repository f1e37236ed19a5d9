// SPDX-License-Identifier: MIT
// Any callable is a stage: a lambda takes its place in a chain.
#include <cstdio>
#include <diffseg/diffseg.hpp>

int main() {
  // Bright left third, dark right two thirds.
  diffseg::Image<float> photo{{96, 96}, 1, {}};
  for (diffseg::Index i = 0; i < photo.size.cells(); ++i) {
    photo.values.push_back(i % 96 < 32 ? 0.9F : 0.1F);
  }

  // Our own stage: drop proposals that average few maps. Data in, data out, nothing else moves.
  diffseg::Index dropped = 0;
  const auto keep_large = [&dropped](diffseg::Proposals<float> proposals) {
    diffseg::Proposals<float> kept = proposals;
    kept.anchors.clear();
    kept.row_counts.clear();
    for (std::size_t k = 0; k < proposals.row_counts.size(); ++k) {
      if (proposals.row_counts[k] < 20) {
        ++dropped;
        continue;
      }
      kept.rows.row(static_cast<diffseg::Index>(kept.row_counts.size())) =
          proposals.rows.row(static_cast<diffseg::Index>(k));
      kept.anchors.push_back(proposals.anchors[k]);
      kept.row_counts.push_back(proposals.row_counts[k]);
    }
    kept.rows.conservativeResize(static_cast<diffseg::Index>(kept.row_counts.size()),
                                 Eigen::NoChange);
    return kept;
  };

  const auto chain = diffseg::Affinity{.cells = 1024} | diffseg::Aggregate{} |
                     diffseg::Compare{.anchors = {8, 8}, .ceiling = 1.3} |
                     diffseg::Merge{.thresholds = {1.3, 1.3, 1.3}} | keep_large |
                     diffseg::Assign{.size = photo.size};
  const diffseg::Labels labels = chain(photo);

  std::printf("%td segments, %td small proposals dropped\n", labels.count(), dropped);
  return labels.count() >= 2 && labels.values.front() != labels.values.back() ? 0 : 1;
}
