// SPDX-License-Identifier: MIT
// What comes next is read while others are worked on.
#pragma once

#include <cstddef>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <vector>

#include "inputs.hpp"
#include "sidecar.hpp"

namespace cli {

/// In a thread of its own; where the system gives none, when it is waited for.
inline constexpr std::launch in_background = std::launch::async | std::launch::deferred;

/// An input before work on it begins.
struct Fetched {
  std::vector<SourceFile> sources;
  std::optional<PhotoReport> before;  ///< an earlier run did it; there are no bytes then
  Bytes photo;                        ///< empty: there is none
  double milliseconds = 0;            ///< what reading took
};

/// Hands items out in their order, the next few already being read.
class ReadAhead {
 public:
  /// Both live longer.
  ReadAhead(const std::vector<Item>& items, const Options& options, std::size_t ahead)
      : items_(items), options_(options), ahead_(ahead) {}

  struct Next {
    const Item& item;
    std::future<Fetched> fetched;  ///< throws diffseg::io_error where it cannot be read
  };
  /// The next item; none: all are out.
  [[nodiscard]] std::optional<Next> next();

 private:
  const std::vector<Item>& items_;
  const Options& options_;
  std::size_t ahead_;
  std::mutex mutex_;
  std::size_t out_ = 0;                       // items that are out
  std::deque<std::future<Fetched>> fetched_;  // of those behind them
};

}  // namespace cli
