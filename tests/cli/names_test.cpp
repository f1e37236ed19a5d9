// SPDX-License-Identifier: MIT
// Words among the tokens of prompts. The same table is tested in Python (test_nouns.py).
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "prompt_words.hpp"
#include "support/catch.hpp"

TEST_CASE("words are found among the tokens of every tokenizer", "[unit]") {
  std::ifstream file(DIFFSEG_TEST_NAMES);
  const auto cases = nlohmann::json::parse(file);
  REQUIRE(cases.size() > 50);
  for (const auto& one : cases) {
    INFO(one.dump());
    const cli::PromptWords prompt(one.at("tokens").get<std::vector<std::string>>());
    const auto [begin, end] = prompt.find(one.at("word"));
    CHECK(begin == one.at("columns").at(0).get<std::size_t>());
    CHECK(end == one.at("columns").at(1).get<std::size_t>());
  }
}

TEST_CASE("marks are told from words", "[unit]") {
  for (const char* mark :
       {"<|startoftext|>", "<s>", "</s>", "<pad>", "[CLS]", "[SEP]", "<cat-toy>"})
    CHECK(cli::is_mark(mark));
  for (const char* word : {"cat</w>", "<</w>", "<3", "[", "[a]", "<>", "cat", ""})
    CHECK_FALSE(cli::is_mark(word));
}
