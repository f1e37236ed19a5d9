// SPDX-License-Identifier: MIT
// One part of many photos, of those that several processes deal among themselves.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cli {

/// Part `index` of `count`, counted from 0.
struct Shard {
  std::uint64_t index = 0;
  std::uint64_t count = 1;

  /// Whether the photo of that name falls to this part: by a hash of the name alone, so that other
  /// photos may come and go.
  [[nodiscard]] bool has(std::string_view name) const;
};

/// The value of an environment variable, or null.
using Environment = std::function<const char*(const char*)>;

/// The part that the variables of Slurm, Kubernetes, Open MPI or PMI tell; of an array whose tasks
/// have ranks, the ranks deal the task's part. `completions` are those of a Kubernetes job, which
/// does not tell them itself; 0: JOB_COMPLETIONS does. None: no variable of theirs is set. Throws
/// std::invalid_argument for numbers that make no part.
[[nodiscard]] std::optional<Shard> find_shard(const Environment& environment,
                                              std::uint64_t completions = 0);

/// "I/N", "auto" or "auto/N"; std::invalid_argument for anything else.
[[nodiscard]] Shard parse_shard(std::string_view text, const Environment& environment);

}  // namespace cli
