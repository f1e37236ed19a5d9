// SPDX-License-Identifier: MIT
// Stages joined with | into one callable.
#pragma once

#include <type_traits>
#include <utility>

namespace diffseg {

namespace detail {

/// Two stages as one: calls `second` with what `first` returns. A stage is any callable with one
/// argument: an aggregate of this library, a lambda, another Pipeline.
template <class First, class Second>
struct Pipeline {
  First first;
  Second second;

  template <class Input>
  auto operator()(Input&& input) const {
    return second(first(std::forward<Input>(input)));
  }
};

}  // namespace detail

/// `Aggregate{} | Compare{} | Merge{} | Assign{}`, found when either side is a stage of ours.
template <class First, class Second>
requires std::is_class_v<std::remove_cvref_t<First>> && std::is_class_v<std::remove_cvref_t<Second>>
[[nodiscard]] constexpr auto operator|(First&& first, Second&& second) {
  return detail::Pipeline<std::remove_cvref_t<First>, std::remove_cvref_t<Second>>{
      std::forward<First>(first), std::forward<Second>(second)};
}

}  // namespace diffseg
