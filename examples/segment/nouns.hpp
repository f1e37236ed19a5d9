// SPDX-License-Identifier: MIT
// From words of a prompt to columns of its cross-attention.
#pragma once

#include <diffseg/labels/name.hpp>
#include <string>
#include <vector>

#include "options.hpp"

namespace cli {

/// `wanted` with their token columns, looked up in `tokens` where none are given, as PromptWords
/// finds them. Throws diffseg::io_error (`file`: tokens: ...).
[[nodiscard]] std::vector<diffseg::Name::Noun> find_nouns(const std::vector<WantedNoun>& wanted,
                                                          const std::vector<std::string>& tokens,
                                                          diffseg::Index columns,
                                                          const std::string& file);

}  // namespace cli
