// SPDX-License-Identifier: MIT
// What an array is that no manifest describes, by its shape and a few of its numbers.
#pragma once

#include <diffseg/io/npy.hpp>
#include <string>
#include <vector>

namespace cli {

enum class ArrayUse {
  none,  ///< no attention: a timestep, a prompt, an image
  self,  ///< [heads, n, n], [n, n], [1, heads, n, n], [heads, h, w, keys], [heads, h, w, h, w]
  cross  ///< [heads, n, m] or [1, heads, n, m], n a square
};

/// An array and what it is taken for.
struct SortedArray {
  diffseg::Tensor tensor = {};  ///< of cross without a batch; without a name: not read
  ArrayUse use = ArrayUse::none;
  bool plausible = true;     ///< no row looked at has a negative number, or as self a sum above 1
  std::string why_not = {};  ///< "FILE[NAME]: reason", where it is none
};

[[nodiscard]] SortedArray sort_array(diffseg::Tensor tensor);

/// Where some self-attention is plausible, what is not is none: its shape is chance. Where all is
/// not, all is left as its shape says, and the stages refuse what they cannot read.
void settle(std::vector<SortedArray>& arrays);

}  // namespace cli
