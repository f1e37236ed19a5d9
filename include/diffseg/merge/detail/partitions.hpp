// SPDX-License-Identifier: MIT
// Several partitions of the same cells, and what each of them tells of the cells' maps.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "diffseg/core/packet.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/merge/detail/logarithm.hpp"

namespace diffseg::detail {

/// Which segment each of T cells belongs to.
struct Partition {
  std::vector<Index> of_cell;  ///< [T] 0 .. count - 1
  std::vector<Index> sizes;    ///< [count] cells of each segment, >= 1
};

/// Each cell to the largest of proposals [K x T] there, the first of equals; those that are nowhere
/// the largest are left out of the numbering.
template <class Scalar>
[[nodiscard]] Partition partition_cells(const Matrix<Scalar>& proposals) {
  const auto cells = static_cast<std::size_t>(proposals.cols());
  std::vector<Scalar> best(proposals.data(), proposals.data() + cells);
  Partition partition{std::vector<Index>(cells, 0), {}};
  for (Index k = 1; k < proposals.rows(); ++k) {
    const Scalar* const row = proposals.data() + k * proposals.cols();
    for (std::size_t cell = 0; cell < cells; ++cell) {
      const bool better = row[cell] > best[cell];
      partition.of_cell[cell] = better ? k : partition.of_cell[cell];
      best[cell] = better ? row[cell] : best[cell];
    }
  }
  std::vector<Index> ids(static_cast<std::size_t>(proposals.rows()), 0);
  for (const Index owner : partition.of_cell) ++ids[static_cast<std::size_t>(owner)];
  for (Index& id : ids) {
    if (id == 0) continue;
    partition.sizes.push_back(std::exchange(id, static_cast<Index>(partition.sizes.size())));
  }
  for (Index& owner : partition.of_cell) owner = ids[static_cast<std::size_t>(owner)];
  return partition;
}

/// H(T) of the shares of the cells, nats.
[[nodiscard]] inline double entropy_of(const Partition& partition) {
  const auto cells = static_cast<double>(partition.of_cell.size());
  double entropy = 0;
  for (const Index size : partition.sizes) {
    const double share = static_cast<double>(size) / cells;
    entropy -= share * std::log(share);
  }
  return entropy;
}

/// Cells that lie together in all partitions: their maps are added up once for all of them.
struct Atoms {
  std::vector<Index> cells;                  ///< [T] all cells, atom after atom
  std::vector<Index> ends;                   ///< [atoms] one past the last cell of each
  std::vector<std::vector<Index>> segments;  ///< [partitions][atoms] where each atom belongs
};

/// The coarsest division that all `partitions` (at least one) are unions of.
[[nodiscard]] inline Atoms atoms_of(std::span<const Partition> partitions) {
  const std::size_t count = partitions.front().of_cell.size();
  Atoms atoms;
  std::vector<Index> ids(count, 0);
  std::vector<std::pair<std::pair<Index, Index>, Index>> keys(count);
  for (const Partition& partition : partitions) {
    for (std::size_t i = 0; i < count; ++i) {
      keys[i] = {{ids[i], partition.of_cell[i]}, static_cast<Index>(i)};
    }
    std::sort(keys.begin(), keys.end());
    Index id = 0;
    for (std::size_t i = 0; i < count; ++i) {
      id += i > 0 && keys[i].first != keys[i - 1].first ? 1 : 0;
      ids[static_cast<std::size_t>(keys[i].second)] = id;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    atoms.cells.push_back(keys[i].second);
    if (i > 0 && keys[i].first != keys[i - 1].first) atoms.ends.push_back(static_cast<Index>(i));
  }
  atoms.ends.push_back(static_cast<Index>(count));
  for (const Partition& partition : partitions) {
    auto& segments = atoms.segments.emplace_back();
    for (const Index end : atoms.ends) {
      const Index last = atoms.cells[static_cast<std::size_t>(end - 1)];
      segments.push_back(partition.of_cell[static_cast<std::size_t>(last)]);
    }
  }
  return atoms;
}

/// Mutual information with the maps, nats.
struct Information {
  double cells = 0;              ///< I(X; Y) = mean over cells of KL(map || mean map)
  std::vector<double> segments;  ///< [partitions] I(T; Y), of the segments' mean maps likewise
};

/// What `partitions` of the cells tell of maps [T x T] (positive rows of sum 1). Every map is read
/// once, whatever the number of partitions; columns go block by block, joined in order.
template <class Scalar>
class InformationSums {
 public:
  InformationSums(const Matrix<Scalar>& maps, std::span<const Partition> partitions)
      : maps_(maps), partitions_(partitions), atoms_(atoms_of(partitions)) {}

  [[nodiscard]] Information run() const {
    const Index blocks = (maps_.cols() + block - 1) / block;
    std::vector<Information> parts(static_cast<std::size_t>(blocks));
    parallel_for(
        blocks, [&] { return Scratch(atoms_.ends.size(), most_segments()); },
        [&](Index index, Scratch& scratch) {
          parts[static_cast<std::size_t>(index)] = add_block(index * block, scratch);
        });
    Information sum{0, std::vector<double>(partitions_.size(), 0.0)};
    for (const Information& part : parts) {
      sum.cells += part.cells;
      for (std::size_t i = 0; i < sum.segments.size(); ++i) sum.segments[i] += part.segments[i];
    }
    return sum;
  }

 private:
  static constexpr Index block = 256;  // columns: 1 KB of a row of floats

  struct Scratch {
    Scratch(std::size_t atoms, std::size_t segments)
        : sums(static_cast<Index>(atoms) * block),
          logs(block),
          mean(block),
          joined(static_cast<Index>(segments) * block) {}
    Buffer<Scalar> sums, logs;    // [atoms x block], [block]
    Buffer<double> mean, joined;  // [block], [segments x block]
  };

  [[nodiscard]] std::size_t most_segments() const {
    std::size_t most = 0;
    for (const Partition& partition : partitions_) most = std::max(most, partition.sizes.size());
    return most;
  }

  [[nodiscard]] Information add_block(Index begin, Scratch& scratch) const {
    const Index width = std::min(block, maps_.cols() - begin);
    Information part{add_atoms(begin, width, scratch), {}};
    std::fill_n(scratch.mean.data(), width, 0.0);
    for (std::size_t atom = 0; atom < atoms_.ends.size(); ++atom) {
      const Scalar* const sum = scratch.sums.data() + static_cast<Index>(atom) * block;
      for (Index i = 0; i < width; ++i) scratch.mean[i] += static_cast<double>(sum[i]);
    }
    const auto cells = static_cast<double>(maps_.rows());
    for (Index i = 0; i < width; ++i) {
      scratch.mean[i] /= cells;
      part.cells -= scratch.mean[i] * std::log(scratch.mean[i]);
    }
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      part.segments.push_back(join(i, width, scratch));
    }
    return part;
  }

  /// Fills the sums of the atoms; returns the mean over cells of sum p ln p.
  [[nodiscard]] double add_atoms(Index begin, Index width, Scratch& scratch) const {
    double negative_entropy = 0;
    std::size_t next = 0;
    for (std::size_t atom = 0; atom < atoms_.ends.size(); ++atom) {
      Scalar* const sum = scratch.sums.data() + static_cast<Index>(atom) * block;
      std::fill_n(sum, width, Scalar(0));
      for (; next < static_cast<std::size_t>(atoms_.ends[atom]); ++next) {
        const Scalar* const row = maps_.data() + atoms_.cells[next] * maps_.cols() + begin;
        add_to(row, width, sum);
        map_packets(row, width, scratch.logs.data(),
                    [](const Packet<Scalar>& p) { return log_of_normal<Scalar>(p); });
        negative_entropy += static_cast<double>(dot_of(row, scratch.logs.data(), width));
      }
    }
    return negative_entropy / static_cast<double>(maps_.rows());
  }

  /// One partition: the sum over segments of share * KL(its mean map || the mean map), its columns.
  [[nodiscard]] double join(std::size_t index, Index width, Scratch& scratch) const {
    const Partition& partition = partitions_[index];
    const auto segments = static_cast<Index>(partition.sizes.size());
    std::fill_n(scratch.joined.data(), segments * block, 0.0);
    for (std::size_t atom = 0; atom < atoms_.ends.size(); ++atom) {
      double* const out = scratch.joined.data() + atoms_.segments[index][atom] * block;
      const Scalar* const sum = scratch.sums.data() + static_cast<Index>(atom) * block;
      for (Index i = 0; i < width; ++i) out[i] += static_cast<double>(sum[i]);
    }
    const auto cells = static_cast<double>(maps_.rows());
    double information = 0;
    for (Index k = 0; k < segments; ++k) {
      const double* const sum = scratch.joined.data() + k * block;
      const auto size = static_cast<double>(partition.sizes[static_cast<std::size_t>(k)]);
      for (Index i = 0; i < width; ++i) {
        information += sum[i] / cells * std::log(sum[i] / (size * scratch.mean[i]));
      }
    }
    return information;
  }

  const Matrix<Scalar>& maps_;
  std::span<const Partition> partitions_;
  Atoms atoms_;
};

}  // namespace diffseg::detail
