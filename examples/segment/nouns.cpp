// SPDX-License-Identifier: MIT
#include "nouns.hpp"

#include <algorithm>
#include <diffseg/io/error.hpp>
#include <string_view>

#include "text.hpp"

namespace cli {

using diffseg::Index;

namespace {

constexpr std::string_view word_end = "</w>";

std::string lower(std::string text) {
  for (char& letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return text;
}

/// A mark such as "<|startoftext|>" is no part of a word.
bool is_mark(const std::string& token) {
  return token.starts_with('<') && !token.ends_with(word_end);
}

/// The end of the run from `begin` that spells `word`; `begin` itself when there is none.
std::size_t spelled(const std::vector<std::string>& tokens, std::size_t begin,
                    const std::string& word) {
  std::string text;
  for (std::size_t i = begin; i < tokens.size() && text.size() < word.size(); ++i) {
    text += lower(tokens[i]);
    if (text == word) return i + 1;
  }
  return begin;
}

diffseg::Name::Noun find_noun(const std::string& word, const std::vector<std::string>& tokens) {
  const bool marked = std::any_of(tokens.begin(), tokens.end(), [](const std::string& token) {
    return token.ends_with(word_end);
  });
  const std::string wanted = marked ? lower(word).append(word_end) : lower(word);
  for (std::size_t begin = 0; begin < tokens.size(); ++begin) {
    const bool inside = marked && begin > 0 && !tokens[begin - 1].ends_with(word_end) &&
                        !is_mark(tokens[begin - 1]);
    const std::size_t end = inside ? begin : spelled(tokens, begin, wanted);
    if (end != begin) return {word, static_cast<Index>(begin), static_cast<Index>(end)};
  }
  return {word, 0, 0};
}

std::string listed(const std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) {
    if (!is_mark(token)) text.append(text.empty() ? "" : ", ").append(token);
  }
  return text;
}

}  // namespace

std::vector<diffseg::Name::Noun> find_nouns(const std::vector<WantedNoun>& wanted,
                                            const std::vector<std::string>& tokens, Index columns,
                                            const std::string& file) {
  const auto refuse = [&](const auto&... parts) {
    throw diffseg::io_error(message(file, ": ", parts...));
  };
  if (columns == 0 && !wanted.empty())
    refuse("cross: --names needs cross-attention, there is none; export it");
  std::vector<diffseg::Name::Noun> nouns;
  for (const WantedNoun& noun : wanted) {
    if (noun.end == 0 && tokens.empty())
      refuse("tokens: are not known; give the columns, as in --names ", noun.word, "=5");
    nouns.push_back(noun.end != 0 ? diffseg::Name::Noun{noun.word, noun.begin, noun.end}
                                  : find_noun(noun.word, tokens));
    if (nouns.back().end == 0)
      refuse("tokens: '", noun.word, "' is not among ", listed(tokens), "; give one of them");
    if (nouns.back().end > columns)
      refuse("cross: '", noun.word, "' is to be column ", noun.end - 1, " of 0..", columns - 1);
  }
  return nouns;
}

}  // namespace cli
