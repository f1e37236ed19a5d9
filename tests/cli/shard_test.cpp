// SPDX-License-Identifier: MIT
#include "shard.hpp"

#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"

namespace {

using cli::Shard;
using support::Contains;
using Variables = std::map<std::string, std::string>;

cli::Environment environment(const Variables& variables) {
  return [&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

std::string found(const Variables& variables, std::uint64_t completions = 0) {
  const auto shard = cli::find_shard(environment(variables), completions);
  return shard ? std::to_string(shard->index) + "/" + std::to_string(shard->count) : "none";
}

std::string parsed(const std::string& text, const Variables& variables = {}) {
  try {
    const Shard shard = cli::parse_shard(text, environment(variables));
    return std::to_string(shard.index) + "/" + std::to_string(shard.count);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("where a name falls never changes", "[shard][unit]") {
  // Other programs may deal the same way: FNV-1a of the name, finalized as in splitmix64, modulo N.
  const auto part = [](const std::string& name, std::uint64_t count) {
    std::uint64_t index = 0;
    while (!Shard{index, count}.has(name)) ++index;
    return index;
  };
  REQUIRE(part("", 1000) == 203);
  REQUIRE(part("a", 1000) == 736);
  REQUIRE(part("cat.jpg", 1000) == 309);
  REQUIRE(part("sub/cat.jpg", 1000) == 213);
  REQUIRE(part("\xff", 1000) == 141);
}

TEST_CASE("every name falls to one part and parts are alike", "[shard][law]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto count = std::uniform_int_distribution<std::uint64_t>(1, 9)(random);
  const std::string prefix = std::to_string(random()) + '_';
  std::vector<int> sizes(count);
  for (int i = 0; i < 9000; ++i) {
    const std::string name = prefix + std::to_string(i) + ".jpg";
    int owners = 0;
    for (std::uint64_t index = 0; index < count; ++index) {
      if (!Shard{index, count}.has(name)) continue;
      ++owners;
      ++sizes[index];
    }
    REQUIRE(owners == 1);
  }
  for (const int size : sizes) {  // 1000 at least, and its deviation is below 100
    REQUIRE(size > 9000 / static_cast<int>(count) - 600);
    REQUIRE(size < 9000 / static_cast<int>(count) + 600);
  }
}

TEST_CASE("parts by the variables of launchers", "[shard][unit]") {
  REQUIRE(found({}) == "none");
  REQUIRE(found({{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "4"}}) == "1/4");
  REQUIRE(found({{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}}) == "3/4");
  Variables slurm{{"SLURM_PROCID", "2"}, {"SLURM_NTASKS", "8"}};
  REQUIRE(found(slurm) == "2/8");
  slurm["SLURM_JOB_ID"] = "77";  // a batch script, of which there is one
  REQUIRE(found(slurm) == "none");
  slurm["SLURM_STEP_ID"] = "0";
  slurm["SLURM_STEP_NUM_TASKS"] = "4";
  REQUIRE(found(slurm) == "2/4");
  Variables array{{"SLURM_ARRAY_TASK_ID", "7"},
                  {"SLURM_ARRAY_TASK_COUNT", "4"},
                  {"SLURM_ARRAY_TASK_MIN", "1"},
                  {"SLURM_ARRAY_TASK_STEP", "2"}};
  REQUIRE(found(array) == "3/4");
  array.merge(Variables(slurm));  // its tasks deal their part among themselves
  REQUIRE(found(array) == "14/16");
  REQUIRE(found({{"JOB_COMPLETION_INDEX", "5"}}, 6) == "5/6");
  REQUIRE(found({{"JOB_COMPLETION_INDEX", "5"}, {"JOB_COMPLETIONS", "7"}}) == "5/7");
}

TEST_CASE("parts that are none", "[shard][unit]") {
  REQUIRE(parsed("2/3") == "2/3");
  for (const char* text :
       {"", "1", "/", "1/", "/2", "-1/2", "1/2/3", "1/0", "a/2", "auto/", "auto/0"})
    REQUIRE_THAT(parsed(text), Contains("must be I/N, I counted from 0, or auto, got '"));
  REQUIRE_THAT(parsed("3/3"), Contains("'3/3': part 3 of 3 is not there"));
  REQUIRE_THAT(parsed("auto"), Contains("finds no variable"));
  const Variables gap{{"SLURM_ARRAY_TASK_ID", "9"},
                      {"SLURM_ARRAY_TASK_COUNT", "3"},
                      {"SLURM_ARRAY_TASK_MIN", "1"},
                      {"SLURM_ARRAY_TASK_STEP", "1"}};
  REQUIRE_THAT(parsed("auto", gap), Contains("array without gaps"));
  REQUIRE_THAT(parsed("auto", {{"JOB_COMPLETION_INDEX", "0"}}), Contains("--shard auto/N"));
  REQUIRE(parsed("auto/3", {{"JOB_COMPLETION_INDEX", "0"}}) == "0/3");
  REQUIRE_THAT(parsed("auto", {{"PMI_RANK", "one"}, {"PMI_SIZE", "2"}}),
               Contains("PMI_RANK must be a number, got 'one'"));
}
