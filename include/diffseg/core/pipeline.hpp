// SPDX-License-Identifier: MIT
// Stages joined with | into one callable.
#pragma once

#include <type_traits>
#include <utility>

namespace diffseg {

namespace detail {

/// True for the stages of this library: they say `using Stage = void;`.
template <class T>
concept IsStage = requires {
  typename std::remove_cvref_t<T>::Stage;
};

/// With a class that has an operator() of any form it gets two, and the name is ambiguous.
struct OtherCall {
  void operator()() const {}
};
template <class T>
struct BothCalls : T, OtherCall {};

/// Something that can be called: a stage, a lambda, a function; not a noun, a range or a view.
template <class T>
concept IsCallable = std::is_function_v<std::remove_pointer_t<std::remove_cvref_t<T>>> ||
    std::is_final_v<std::remove_cvref_t<T>> ||
    (std::is_class_v<std::remove_cvref_t<T>> &&
     !requires { &BothCalls<std::remove_cvref_t<T>>::operator(); });

/// Two stages as one: calls `second` with what `first` returns. A stage is any callable with one
/// argument: an aggregate of this library, a lambda, another Pipeline.
template <class First, class Second>
struct Pipeline {
  using Stage = void;  ///< it may begin or follow a chain
  First first;
  Second second;

  template <class Input>
  auto operator()(Input&& input) const {
    return second(first(std::forward<Input>(input)));
  }
};

}  // namespace detail

/// `Aggregate{} | Compare{} | Merge{} | Assign{}`: stages of this library, and other callables next
/// to one of them.
template <class First, class Second>
requires(detail::IsStage<First>&& detail::IsCallable<Second>) ||
    (detail::IsCallable<First> && detail::IsStage<Second>) [[nodiscard]] constexpr auto operator|(
        First&& first, Second&& second) {
  return detail::Pipeline<std::decay_t<First>, std::decay_t<Second>>{std::forward<First>(first),
                                                                     std::forward<Second>(second)};
}

}  // namespace diffseg
