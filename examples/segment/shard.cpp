// SPDX-License-Identifier: MIT
#include "shard.hpp"

#include <charconv>
#include <initializer_list>
#include <stdexcept>

#include "text.hpp"

namespace cli {

namespace {

/// A whole number without anything around it.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || rest != end) return {};
  return value;
}

/// The number in the first of these variables that is set.
std::optional<std::uint64_t> variable(const Environment& environment,
                                      std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    const char* const text = environment(name);
    if (text == nullptr) continue;
    if (const auto value = number(text)) return value;
    throw std::invalid_argument(message(name, " must be a number, got '", text, "'"));
  }
  return {};
}

Shard checked(std::uint64_t index, std::uint64_t count, const std::string& source,
              const char* remedy) {
  if (index < count) return {index, count};
  throw std::invalid_argument(message(source, ": part ", index, " of ", count,
                                      " is not there, parts are 0 .. N-1; ", remedy));
}

std::optional<Shard> of_slurm_array(const Environment& environment) {
  const auto id = variable(environment, {"SLURM_ARRAY_TASK_ID"});
  const auto count = variable(environment, {"SLURM_ARRAY_TASK_COUNT"});
  if (!id || !count) return {};
  const auto first = variable(environment, {"SLURM_ARRAY_TASK_MIN"}).value_or(0);
  const auto step = variable(environment, {"SLURM_ARRAY_TASK_STEP"}).value_or(1);
  constexpr const char* remedy = "submit an array without gaps, or give --shard I/N";
  if (*id < first || step == 0 || (*id - first) % step != 0)
    throw std::invalid_argument(message("SLURM_ARRAY_TASK_ID: ", *id, " is none of the tasks ",
                                        first, ", ", first + step, " ..; ", remedy));
  return checked((*id - first) / step, *count, "SLURM_ARRAY_TASK_ID", remedy);
}

std::optional<Shard> of_kubernetes(const Environment& environment, std::uint64_t completions) {
  const auto index = variable(environment, {"JOB_COMPLETION_INDEX"});
  if (!index) return {};
  const auto count = variable(environment, {"JOB_COMPLETIONS"});
  constexpr const char* remedy = "give the job's completions as --shard auto/N";
  if (!count && completions == 0) {
    throw std::invalid_argument(
        message("JOB_COMPLETION_INDEX: Kubernetes does not tell how many there are; ", remedy,
                " or in the variable JOB_COMPLETIONS"));
  }
  return checked(*index, completions != 0 ? completions : *count, "JOB_COMPLETION_INDEX", remedy);
}

/// The rank among the processes that one command started.
std::optional<Shard> of_ranks(const Environment& environment) {
  struct Names {
    const char* rank;
    const char* size;
    const char* other_size;
  };
  // A batch script, which no srun started, has the variables of the tasks that it might start.
  const bool batch_script =
      environment("SLURM_JOB_ID") != nullptr && environment("SLURM_STEP_ID") == nullptr;
  constexpr Names open_mpi{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", ""};
  constexpr Names pmi{"PMI_RANK", "PMI_SIZE", ""};
  constexpr Names slurm{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"};
  for (const Names& names : {open_mpi, pmi, slurm}) {
    const auto rank = variable(environment, {names.rank});
    const auto size = variable(environment, {names.size, names.other_size});
    const bool counts =
        rank && size && !(batch_script && std::string_view(names.rank) == slurm.rank);
    if (counts) return checked(*rank, *size, names.rank, "give --shard I/N");
  }
  return {};
}

}  // namespace

bool Shard::has(std::string_view name) const {
  // FNV-1a, its bits mixed once more (the finalizer of splitmix64), as its low ones alone are poor.
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char letter : name) {
    hash ^= static_cast<unsigned char>(letter);
    hash *= 0x100000001b3U;
  }
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebU;
  hash ^= hash >> 31U;
  return hash % count == index;
}

std::optional<Shard> find_shard(const Environment& environment, std::uint64_t completions) {
  auto outer = of_slurm_array(environment);
  if (!outer) outer = of_kubernetes(environment, completions);
  const auto inner = of_ranks(environment);
  if (!outer || !inner) return outer ? outer : inner;
  return Shard{outer->index * inner->count + inner->index, outer->count * inner->count};
}

Shard parse_shard(std::string_view text, const Environment& environment) {
  const std::size_t slash = text.find('/');
  const std::string_view first = text.substr(0, slash);
  std::uint64_t count = 0;  // not given
  bool good = slash == std::string_view::npos && first == "auto";
  if (slash != std::string_view::npos) {
    count = number(text.substr(slash + 1)).value_or(0);
    good = count > 0;
  }
  if (good && first == "auto") {
    const auto found = find_shard(environment, count);
    if (found) return *found;
    throw std::invalid_argument(
        "auto finds no variable of Slurm, Kubernetes, Open MPI or PMI; give I/N");
  }
  const auto index = number(first);
  if (good && index) return checked(*index, count, message("'", text, "'"), "count from 0");
  throw std::invalid_argument(message("must be I/N, I counted from 0, or auto, got '", text, "'"));
}

}  // namespace cli
