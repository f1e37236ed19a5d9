// SPDX-License-Identifier: MIT
// A bounded, thread-safe keyed cache of immutable values.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

namespace diffseg::detail {

/// What a Cache did since it was made or cleared.
struct CacheStatistics {
  std::size_t hits = 0;     ///< lookups answered with a stored value
  std::size_t misses = 0;   ///< lookups that built a value
  std::size_t entries = 0;  ///< values stored now
};

/// Keeps the `capacity` values that were used last. Key needs ==; values are shared and const, so
/// one that was dropped lives on with whoever holds it.
template <class Key, class Value>
class Cache {
 public:
  explicit Cache(std::size_t capacity) : capacity_(capacity) {}

  /// The value of `key`; `make()` builds it when it is not stored. Callers of one cache wait for
  /// each other, so a value is built once. A call that throws leaves the cache as it was.
  template <class Make>
  std::shared_ptr<const Value> get(const Key& key, const Make& make) {
    const std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (!(entry->first == key)) continue;
      ++hits_;
      entries_.splice(entries_.begin(), entries_, entry);
      return entries_.front().second;
    }
    auto value = std::make_shared<const Value>(make());
    if (capacity_ != 0) entries_.emplace_front(key, value);
    ++misses_;
    if (entries_.size() > capacity_) entries_.pop_back();
    return value;
  }

  [[nodiscard]] CacheStatistics statistics() const {
    const std::lock_guard lock(mutex_);
    return {hits_, misses_, entries_.size()};
  }

  /// Forgets values and counts.
  void clear() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
    hits_ = misses_ = 0;
  }

 private:
  mutable std::mutex mutex_;
  std::list<std::pair<Key, std::shared_ptr<const Value>>> entries_;  // last used first
  std::size_t capacity_;
  std::size_t hits_ = 0;
  std::size_t misses_ = 0;
};

}  // namespace diffseg::detail
