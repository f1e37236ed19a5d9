// SPDX-License-Identifier: MIT
// Masks as COCO's compressed run lengths.
#pragma once

#include <diffseg/data/labels.hpp>
#include <string>
#include <vector>

namespace cli {

/// One mask, run by run. Runs of zeros and ones take turns along the columns, zeros first; each
/// number beyond the third is told as its difference from the one two before, five bits a character
/// from '0' on, the lowest first, and a sixth bit where more follow.
class RunLengths {
 public:
  /// The pixels [begin, end) are ones; runs come ascending and do not touch.
  void add(diffseg::Index begin, diffseg::Index end);
  /// The text for a mask of so many pixels.
  [[nodiscard]] std::string finish(diffseg::Index cells);

 private:
  void append(diffseg::Index count);

  std::string text_;
  diffseg::Index end_ = 0;
  diffseg::Index numbers_ = 0;
  diffseg::Index last_ = 0;  // numbers
  diffseg::Index before_ = 0;
};

/// [label] the text of its mask. No mask is stored: one pass over the labels, 16 columns at a time.
[[nodiscard]] std::vector<std::string> run_lengths(const diffseg::Labels& labels);

}  // namespace cli
