// SPDX-License-Identifier: MIT
#include "read_ahead.hpp"

#include <unistd.h>

#include "stopwatch.hpp"

namespace cli {

namespace {

Fetched fetch(const Item& item, const Options& options) {
  Fetched fetched;
  if (!item.error.empty()) throw diffseg::io_error(item.error);
  Stopwatch watch;
  fetched.sources = sources_of(item);
  if (!options.force) fetched.before = done_before(item, fetched.sources, options);
  if (!fetched.before && !item.photo.empty())
    fetched.photo = item.photo == "-" ? read_descriptor(STDIN_FILENO, "-") : read_file(item.photo);
  fetched.milliseconds = watch.lap();
  return fetched;
}

/// Large files wait until their turn, so that memory holds few of them.
std::launch when_to_read(const Item& item) {
  constexpr std::uintmax_t large = 64U << 20U;
  std::error_code error;
  const auto bytes = std::filesystem::file_size(item.photo, error);
  return !error && bytes > large ? std::launch::deferred : in_background;
}

}  // namespace

std::optional<ReadAhead::Next> ReadAhead::next() {
  const std::lock_guard lock(mutex_);
  if (out_ == items_.size()) return {};
  while (fetched_.size() <= ahead_ && out_ + fetched_.size() < items_.size()) {
    const Item& item = items_[out_ + fetched_.size()];
    fetched_.push_back(
        std::async(when_to_read(item), [&item, this] { return fetch(item, options_); }));
  }
  Next next{items_[out_++], std::move(fetched_.front())};
  fetched_.pop_front();
  return next;
}

}  // namespace cli
