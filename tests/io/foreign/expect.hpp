// SPDX-License-Identifier: MIT
// What the programs of this folder check, without a test library: each links to one library only.
#pragma once

#include <diffseg/io/view.hpp>
#include <iostream>

namespace foreign {

/// Counts what does not hold and says so.
class Expect {
 public:
  void that(bool holds, const char* what) {
    if (holds) return;
    std::cerr << "failed: " << what << '\n';
    ++failures_;
  }
  /// `call` throws std::invalid_argument whose message contains `words`.
  template <class Call>
  void refused(const Call& call, const std::string& words) {
    try {
      static_cast<void>(call());
    } catch (const std::invalid_argument& error) {
      const std::string text = error.what();
      that(text.starts_with("view: ") && text.find(words) != std::string::npos, error.what());
      return;
    }
    that(false, ("not refused: " + words).c_str());
  }
  [[nodiscard]] int result() const { return failures_ == 0 ? 0 : 1; }

 private:
  int failures_ = 0;
};

/// Every number of a view of Number, the last axis first, is what `at(place)` says.
template <class Number, class At>
bool holds(const diffseg::TensorView& view, const At& at) {
  std::vector<diffseg::Index> place(view.shape.size());
  for (;;) {
    diffseg::Index offset = 0;
    for (std::size_t axis = 0; axis < place.size(); ++axis) {
      offset += place[axis] * view.strides[axis];
    }
    if (static_cast<const Number*>(view.data)[offset] != at(place)) return false;
    std::size_t axis = place.size();
    while (axis > 0 && ++place[axis - 1] == view.shape[axis - 1]) place[--axis] = 0;
    if (axis == 0) return true;
  }
}

}  // namespace foreign
