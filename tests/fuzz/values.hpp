// SPDX-License-Identifier: MIT
// Choices and numbers out of a fuzzer's bytes.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstring>
#include <diffseg/core/types.hpp>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace fuzz {

/// Bytes that are used up from both ends; zeros behind them.
class Values {
 public:
  Values(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}

  [[nodiscard]] bool flag() { return bytes_.ConsumeBool(); }

  /// One of first .. last.
  [[nodiscard]] diffseg::Index within(diffseg::Index first, diffseg::Index last) {
    return bytes_.ConsumeIntegralInRange(first, std::max(first, last));
  }

  /// Any whole number, small ones above all.
  [[nodiscard]] diffseg::Index whole() {
    const diffseg::Index small = within(-8, 64);
    return small < 63 ? small : bytes_.ConsumeIntegral<diffseg::Index>();
  }

  /// Any bits as a number.
  template <class Number>
  [[nodiscard]] Number number() {
    Number value{};
    bytes_.ConsumeData(static_cast<void*>(&value), sizeof(value));
    return value;
  }

  template <class Choice>
  [[nodiscard]] Choice pick(std::initializer_list<Choice> choices) {
    return choices.begin()[within(0, static_cast<diffseg::Index>(choices.size()) - 1)];
  }

  /// `count` bytes, the last ones 0 where there are no more.
  [[nodiscard]] std::vector<std::byte> bytes(std::size_t count) {
    std::vector<std::byte> result(count);
    if (count > 0) bytes_.ConsumeData(result.data(), count);
    return result;
  }

  [[nodiscard]] std::string text(std::size_t most) {
    return bytes_.ConsumeRandomLengthString(most);
  }

  [[nodiscard]] std::string rest() { return bytes_.ConsumeRemainingBytesAsString(); }

  [[nodiscard]] std::size_t left() { return bytes_.remaining_bytes(); }

 private:
  FuzzedDataProvider bytes_;
};

}  // namespace fuzz
