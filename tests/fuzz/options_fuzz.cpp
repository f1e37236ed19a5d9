// SPDX-License-Identifier: MIT
// Command lines of the program segment, an argument between zeros; nothing is processed.
#include "options.hpp"

#include <iostream>
#include <span>
#include <sstream>

#include "fuzz.hpp"

namespace {

/// What the parser says goes nowhere.
class Silence {
 public:
  Silence() : out_(std::cout.rdbuf(text_.rdbuf())), err_(std::cerr.rdbuf(text_.rdbuf())) {}
  ~Silence() {
    std::cout.rdbuf(out_);
    std::cerr.rdbuf(err_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* out_;
  std::streambuf* err_;
};

void check(const cli::Options& options) {
  fuzz::require_true(!options.inputs.empty() || !options.attention.empty());
  fuzz::require_true(!options.formats.empty() && options.shard.index < options.shard.count);
  for (const double threshold : options.thresholds) fuzz::require_true(threshold > 0);
  fuzz::require_true(std::is_sorted(options.sweep.begin(), options.sweep.end()));
  fuzz::require_true(options.min_area >= 0 && options.min_area <= 1);
  for (const auto& noun : options.nouns)
    fuzz::require_true(noun.begin >= 0 && (noun.end == 0 || noun.begin < noun.end));
  if (options.size) fuzz::require_true(options.size->height >= 1 && options.size->width >= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  std::vector<char*> arguments;
  std::string name = "segment";
  arguments.push_back(name.data());
  for (std::size_t at = 0; at < text.size(); at = text.find('\0', at) + 1) {
    arguments.push_back(text.data() + at);
    if (text.find('\0', at) == std::string::npos) break;
  }
  const int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  const Silence silence;
  const auto parsed = cli::parse_options(count, arguments.data());
  if (const auto* const status = std::get_if<cli::ExitStatus>(&parsed)) {
    fuzz::require_true((*status == 0 || *status == 2) && !silence.text().empty());
  } else {
    check(std::get<cli::Options>(parsed));
  }
  return 0;
}
