// SPDX-License-Identifier: MIT
// What the units of the program `differential` share: a random case, and what is asked of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/random.hpp"

namespace trust {

using diffseg::GridSize;
using diffseg::Index;

/// What a stage and its plain version have not in common.
struct Difference : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The tally of a stage over all its cases.
struct Tally {
  Index numbers = 0;    ///< compared within a bound
  Index decisions = 0;  ///< compared exactly
  Index undecided = 0;  ///< decisions that rounding may turn: either way is right
  double share = 0;     ///< the largest error as a share of its bound
  double error = 0;     ///< that error
  double bound = 0;     ///< that bound
};

/// One random case of one stage.
class Case {
 public:
  Case(std::uint64_t seed, Tally& tally) : random(seed), tally_(tally) {}

  support::Random random;

  /// Adds to what is printed of a case that fails.
  template <class... Parts>
  void describe(const Parts&... parts) {
    (shape_ << ... << parts) << "; ";
  }
  [[nodiscard]] std::string shape() const { return shape_.str(); }

  /// |found - expected| <= bound.
  void within(const char* what, Index place, double found, double expected, double bound) {
    ++tally_.numbers;
    const double error = std::abs(found - expected);
    if (!(error <= bound)) {
      std::ostringstream text;
      text.precision(17);
      text << what << " at " << place << " is " << found << ", plainly " << expected << ": off by "
           << error << ", the bound is " << bound;
      throw Difference(text.str());
    }
    if (bound <= 0 || error / bound <= tally_.share) return;
    tally_.share = error / bound;
    tally_.error = error;
    tally_.bound = bound;
  }
  /// found == expected.
  template <class Found, class Expected>
  void same(const char* what, Index place, const Found& found, const Expected& expected) {
    ++tally_.decisions;
    if (found == expected) return;
    std::ostringstream text;
    text << what << " at " << place << " is " << found << ", plainly " << expected;
    throw Difference(text.str());
  }
  /// A condition that holds whatever rounding does.
  void holds(const char* what, Index place, bool condition) { same(what, place, condition, true); }
  /// A decision within rounding of its threshold.
  void undecided(Index count = 1) { tally_.undecided += count; }

  [[nodiscard]] bool chance(double share) { return random.uniform() < share; }
  /// One of some values.
  template <class Value>
  Value any(std::initializer_list<Value> values) {
    return *(values.begin() + random.integer(0, static_cast<Index>(values.size()) - 1));
  }
  /// Single cells, lines, squares, prime sides, any rectangle, of at most so many cells.
  GridSize grid(Index most) {
    const Index side = static_cast<Index>(std::sqrt(static_cast<double>(most)));
    const Index odd = any<Index>({2, 3, 5, 7, 11, 13});
    const Index even = any<Index>({2, 4, 8, 16});
    switch (random.integer(0, 7)) {
      case 0:
        return any<GridSize>({{1, 1}, {1, random.integer(1, most)}, {random.integer(1, most), 1}});
      case 1:
        return {std::min(even, side), std::min(even, side)};
      case 2:
        return {std::min(odd, side), std::min(any<Index>({2, 3, 5, 7, 11, 13}), side)};
      default:
        return random.grid(1, side);
    }
  }

 private:
  std::ostringstream shape_;
  Tally& tally_;
};

/// A stage, and how one random case of it is compared.
struct Stage {
  const char* name;
  const char* bound;  ///< what the errors must keep, and why, in a line
  void (*run)(Case&);
};

/// A case in one precision or the other.
template <void (*Narrow)(Case&), void (*Wide)(Case&)>
void either(Case& test) {
  const bool narrow = test.chance(0.7);
  test.describe(narrow ? "float" : "double");
  narrow ? Narrow(test) : Wide(test);
}

std::vector<Stage> attention_stages();
std::vector<Stage> merge_stages();
std::vector<Stage> label_stages();
std::vector<Stage> whole_stages();

template <class Scalar>
constexpr double epsilon = static_cast<double>(std::numeric_limits<Scalar>::epsilon());

/// What bounds are times: the plain version rounds as well, in double.
template <class Scalar>
constexpr double both = epsilon<Scalar> + epsilon<double>;

inline std::size_t at(Index i) {
  return static_cast<std::size_t>(i);
}

}  // namespace trust

namespace diffseg {

inline std::ostream& operator<<(std::ostream& out, const GridSize& size) {
  return out << size.height << " x " << size.width;
}

}  // namespace diffseg
