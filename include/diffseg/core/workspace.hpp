// SPDX-License-Identifier: MIT
// Storage that outlives a call.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace diffseg {

/// What stages work with and can use again in their next call: one value of each type, made when it
/// is first asked for. Results do not depend on what it holds. For one call at a time; a copy
/// starts empty, so that copying a result copies none of it.
class Workspace {
 public:
  Workspace() = default;
  ~Workspace() = default;
  /// Empty: scratch is not copied.
  Workspace(const Workspace& /*other*/) {}
  Workspace(Workspace&&) = default;  ///< takes all along
  /// Keeps what it has.
  Workspace& operator=(const Workspace& /*other*/) { return *this; }
  Workspace& operator=(Workspace&&) = default;  ///< takes all along

  /// The value of this type, as it was left; stays where it is until clear().
  template <class Value>
  [[nodiscard]] Value& get() {
    for (const auto& [type, value] : values_) {
      if (type == type_of<Value>()) return *static_cast<Value*>(value.get());
    }
    const auto& made = values_.emplace_back(type_of<Value>(), std::make_shared<Value>());
    return *static_cast<Value*>(made.second.get());
  }

  /// Gives all memory back.
  void clear() { values_.clear(); }

 private:
  /// An address of its own for each type.
  template <class Value>
  static const void* type_of() {
    static const char mark = 0;
    return &mark;
  }

  std::vector<std::pair<const void*, std::shared_ptr<void>>> values_;
};

}  // namespace diffseg
