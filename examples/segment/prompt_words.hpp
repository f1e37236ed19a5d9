// SPDX-License-Identifier: MIT
// Words among the tokens of a prompt, whatever marks the tokenizer leaves on them.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace cli {

/// A mark such as "<|startoftext|>", "</s>" or "[CLS]" is no part of a word.
[[nodiscard]] bool is_mark(const std::string& token);

/// The tokens of a prompt as its tokenizer made them. Known are CLIP's (the ends of pieces are
/// marked by "</w>"), those of T5 and others that mark the begin of a word by U+2581, GPT's by
/// U+0120 (both CLIP's and GPT's bytes as letters), BERT's ("##" goes on) and plain texts.
class PromptWords {
 public:
  explicit PromptWords(const std::vector<std::string>& tokens);

  /// The first run of tokens [begin, end) that spells `word`, which may have spaces; upper and
  /// lower case alike; {0, 0} when there is none. Whole words only, where the tokens tell: "cat" is
  /// not found in "cats", but in "cat's", and "shirt" in "t-shirt". A mark is found by its own
  /// name.
  [[nodiscard]] std::pair<std::size_t, std::size_t> find(const std::string& word) const;

 private:
  /// What lies between two tokens.
  enum class Gap {
    space,   ///< a space, or a mark
    joined,  ///< nothing
    piece,   ///< a space, or nothing where letters, digits and signs meet
    unknown
  };
  struct Token {
    std::string text;  ///< without marks, in lower case
    Gap before;
    bool mark;
  };
  [[nodiscard]] bool fits(const Token& left, const Token& right, bool space) const;
  [[nodiscard]] bool is_edge(std::size_t at) const;
  [[nodiscard]] std::size_t spelled(std::size_t begin, const std::string& word) const;

  std::vector<std::string> raw_;
  std::vector<Token> tokens_;
};

}  // namespace cli
