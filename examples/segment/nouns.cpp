// SPDX-License-Identifier: MIT
#include "nouns.hpp"

#include <diffseg/io/error.hpp>

#include "prompt_words.hpp"
#include "text.hpp"

namespace cli {

using diffseg::Index;

namespace {

diffseg::Name::Noun found_noun(const std::string& word, const PromptWords& prompt) {
  const auto [begin, end] = prompt.find(word);
  return {word, static_cast<Index>(begin), static_cast<Index>(end)};
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
  const PromptWords prompt(tokens);
  std::vector<diffseg::Name::Noun> nouns;
  for (const WantedNoun& noun : wanted) {
    if (noun.end == 0 && tokens.empty())
      refuse("tokens: are not known; give the columns, as in --names ", noun.word, "=5");
    nouns.push_back(noun.end != 0 ? diffseg::Name::Noun{noun.word, noun.begin, noun.end}
                                  : found_noun(noun.word, prompt));
    if (nouns.back().end == 0)
      refuse("tokens: '", noun.word, "' is not among ", listed(tokens), "; give one of them");
    if (nouns.back().end > columns)
      refuse("cross: '", noun.word, "' is to be column ", nouns.back().end - 1, " of 0..",
             columns - 1);
  }
  return nouns;
}

}  // namespace cli
