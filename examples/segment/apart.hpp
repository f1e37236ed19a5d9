// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "inputs.hpp"

namespace cli {

/// Changes the places of items whose results would have one name: a.jpg and a.png get their
/// suffixes into it, d1/a.jpg and d2/a.jpg their folders before it. Throws std::invalid_argument
/// where that does not do.
void keep_apart(std::vector<Item>& items);

}  // namespace cli
