// SPDX-License-Identifier: MIT
// The ratios that this library promises, each from interleaved runs in one process:
// ratios_bench [ROUNDS]. Exit status 1 if a result is wrong; a missed goal is only reported, as
// clocks are noisy.
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <diffseg/attention/top_k.hpp>
#include <diffseg/io/npz.hpp>
#include <filesystem>
#include <functional>
#include <iostream>
#include <limits>
#include <thread>
#include <vector>

#include "../tests/support/file_bytes.hpp"
#include "support/checks.hpp"
#include "support/clock.hpp"
#include "support/memory.hpp"
#include "support/scaled.hpp"

namespace {

using bench::Index;
using bench::milliseconds;

double quantile(std::vector<double> values, double at) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(at * static_cast<double>(values.size() - 1) + 0.5)];
}

struct Goal {
  bool at_least = true;
  double value = 0;  // 0: none, only told
};

void print(const char* name, const std::string& times, double low, double ratio, double high,
           Goal goal) {
  const bool met = goal.at_least ? ratio >= goal.value : ratio <= goal.value;
  char wanted[64] = "";
  if (goal.value > 0) {
    std::snprintf(wanted, sizeof(wanted), "%s %g %s", goal.at_least ? ">=" : "<=", goal.value,
                  met ? "met" : "MISSED");
  }
  char spread[64] = "";
  if (low > 0) std::snprintf(spread, sizeof(spread), "%.2f..%.2f", low, high);
  std::printf("| %-52s | %-18s | %6.2f | %-13s | %-13s |\n", name, times.c_str(), ratio, spread,
              wanted);
  std::fflush(stdout);
}

/// Runs numerator and denominator in turns; the ratio of each round, its median and quartiles.
void compare(const char* name, int rounds, const std::function<void()>& numerator,
             const std::function<void()>& denominator, Goal goal) {
  std::vector<double> upper, lower, ratios;
  numerator();
  denominator();
  for (int round = 0; round < rounds; ++round) {
    upper.push_back(milliseconds(numerator));
    lower.push_back(milliseconds(denominator));
    ratios.push_back(upper.back() / lower.back());
  }
  char times[64];
  std::snprintf(times, sizeof(times), "%.2f / %.2f", quantile(upper, 0.5), quantile(lower, 0.5));
  print(name, times, quantile(ratios, 0.25), quantile(ratios, 0.5), quantile(ratios, 0.75), goal);
}

const diffseg::SegmentOptions reference = {.assign = {.ids = diffseg::Assign::Ids::reference}};

std::string check_all() {
  const auto labels = diffseg::segment(bench::coffee(), reference);
  for (const std::string& complaint :
       {bench::check_maps(bench::coffee_maps()),
        bench::check_similarities(bench::coffee_similarities()),
        bench::check_similarities(bench::photo_similarities()),
        bench::check_proposals(bench::coffee_proposals()), bench::check_labels(labels)}) {
    if (!complaint.empty()) return complaint;
  }
  bench::EnlargeAll plain(bench::coffee_proposals(), {512, 512});
  const double equal = bench::agreement(labels.values, plain.run());
  return equal >= 0.9999 ? "" : bench::message("enlarging all agrees on ", equal);
}

void compare_ratios(int rounds, const char* name, const char* name_with_logs,
                    const diffseg::Similarities<float>& expected, Goal goal) {
  diffseg::Similarities<float> out;
  bench::FullProducts products(expected.maps, expected.anchors);
  const diffseg::Compare stage{.ceiling = expected.ceiling};
  const auto run = [&] { stage(expected.maps, out); };
  compare(
      name, rounds, [&] { products.multiply(); }, run, goal);
  compare(name_with_logs, rounds,
          [&] {
            products.take_logs();
            products.multiply();
          },
          run, {});
}

void assign_ratio(int rounds) {
  diffseg::Labels labels;
  const auto& proposals = bench::coffee_proposals();
  bench::EnlargeAll plain(proposals, {512, 512});
  compare(
      "enlarge all + arg max / Assign, 512 x 512", rounds, [&] { plain.run(); },
      [&] { diffseg::Assign{}(proposals, labels); }, {true, 20});
}

void pipeline_ratios(int rounds) {
  const auto& layers = bench::coffee();
  diffseg::Segmentation<float> out;
  volatile std::uint32_t sum = 0;
  const auto read = [&] { sum = bench::read_all(layers); };
  const auto fresh = [&] { (void)diffseg::segment(layers); };
  const auto reused = [&] { diffseg::segment(layers, {}, out); };
  compare("segment / one read of the input", rounds, fresh, read, {false, 2.4});
  compare("segment, results reused / one read of the input", rounds, reused, read, {false, 1.9});
  compare("Aggregate, result reused / one read of the input", rounds,
          [&] {
            out.similarities.maps = out.proposals.maps = {};
            diffseg::Aggregate{}(layers, out.maps, out.workspace);
          },
          read, {false, 1.25});
  compare("segment, 1 thread / all threads", rounds,
          [&] {
            const diffseg::ThreadLimit limit(1);
            reused();
          },
          reused, {true, 1.6});
}

void threshold_ratio(int rounds) {
  const auto& layers = bench::coffee();
  diffseg::Segmentation<float> out;
  diffseg::Proposals<float> proposals;
  diffseg::Labels labels;
  diffseg::Workspace workspace;
  compare(
      "Merge + Assign again / segment", rounds,
      [&] {
        diffseg::Merge{}(bench::coffee_similarities(), proposals, workspace);
        diffseg::Assign{}(proposals, labels, workspace);
      },
      [&] { diffseg::segment(layers, {}, out); }, {false, 0.1});
}

/// One head a grid, as head means are exported: a tenth of the bytes, the same maps.
void mean_ratios(int rounds) {
  const auto layers = bench::make_coffee<float>(1);
  diffseg::Segmentation<float> out;
  bench::Maps<float> maps;
  diffseg::Workspace workspace;
  volatile std::uint32_t sum = 0;
  const auto read = [&] { sum = bench::read_all(layers); };
  compare("segment of head means / one read of its input", rounds,
          [&] { diffseg::segment(layers, {}, out); }, read, {});
  compare("Aggregate of head means / one read of its input", rounds,
          [&] { diffseg::Aggregate{}(layers, maps, workspace); }, read, {});
}

/// Two images, each on one thread at the same time, or one after the other on all threads.
void throughput_ratio(int rounds) {
  const auto& layers = bench::coffee();
  std::array<diffseg::Segmentation<float>, 2> out;
  compare(
      "two images: one after the other / at once", rounds,
      [&] {
        for (auto& segmentation : out) diffseg::segment(layers, {}, segmentation);
      },
      [&] {
        std::array<std::thread, 2> threads;
        for (std::size_t i = 0; i < 2; ++i) {
          threads[i] = std::thread([&layers, &result = out[i]] {
            const diffseg::ThreadLimit alone(1);
            diffseg::segment(layers, {}, result);
          });
        }
        for (auto& thread : threads) thread.join();
      },
      {true, 1.0});
}

/// Queries and keys of 4096 tokens: attention that is never stored.
template <class Element>
void products_ratio(const char* name, int rounds, Index heads, Index depth, Goal goal) {
  constexpr Index tokens = 4096;
  const Index count = heads * tokens * depth;
  std::vector<float> q(static_cast<std::size_t>(count)), k(q.size());
  for (std::size_t i = 0; i < q.size(); ++i) {
    q[i] = std::sin(0.37F * static_cast<float>(i % 9973));
    k[i] = std::cos(0.53F * static_cast<float>(i % 9967));
  }
  const auto stored = [](const std::vector<float>& values) {
    std::vector<Element> elements;
    for (const float value : values) elements.push_back(static_cast<Element>(value));
    return elements;
  };
  const std::vector<Element> stored_q = stored(q), stored_k = stored(k);
  const bench::Layers layers = {
      diffseg::Layer::queries_and_keys(stored_q.data(), stored_k.data(), heads, depth, {64, 64})};
  bench::Maps<float> maps;
  diffseg::Workspace workspace;
  diffseg::Matrix<float> scores(tokens, tokens);
  compare(
      name, rounds, [&] { diffseg::Aggregate{}(layers, maps, workspace); },
      [&] {
        for (Index head = 0; head < heads; ++head) {
          using Rows = Eigen::Map<const diffseg::Matrix<float>>;
          const Rows queries(q.data() + head * tokens * depth, tokens, depth);
          const Rows keys(k.data() + head * tokens * depth, tokens, depth);
          scores.noalias() = queries * keys.transpose();
        }
      },
      goal);
}

/// The same attention in half and in single precision.
void half_ratio(int rounds) {
  bench::Maps<float> maps;
  const auto half = bench::make_coffee<Eigen::half>(8);
  volatile std::uint32_t sum = 0;
  diffseg::Workspace workspace;
  const auto aggregate = [&] { diffseg::Aggregate{}(half, maps, workspace); };
  compare("Aggregate, f16 / one read of its input", rounds, aggregate,
          [&] { sum = bench::read_all(half); }, {false, 1.35});
  compare("Aggregate, f16 / f32 input", rounds, aggregate,
          [&] { diffseg::Aggregate{}(bench::coffee(), maps, workspace); }, {false, 1.0});
}

/// The same numbers made sparse, against the same read.
void sparse_ratio(int rounds) {
  volatile std::uint32_t sum = 0;
  compare(
      "top_k of 64 numbers a row / one read of the input", std::min(rounds, 7),
      [&] {
        for (const diffseg::Layer& layer : bench::coffee())
          (void)diffseg::top_k(layer, std::min<Index>(64, layer.keys.cells()));
      },
      [&] { sum = bench::read_all(bench::coffee()); }, {false, 6});
}

/// A NaN at the end of the last layer: everything is read before it is known.
void refusal_ratio(int rounds) {
  bench::Layers layers = bench::coffee();
  const auto last = bench::numbers(layers.back());
  std::vector<float> doubled(last.begin(), last.end());
  doubled.back() = std::numeric_limits<float>::quiet_NaN();
  layers.back() =
      diffseg::Layer::owning(std::move(doubled), layers.back().heads, layers.back().queries);
  bench::Maps<float> maps;
  const auto refused = [&] {
    try {
      diffseg::Aggregate{}(layers, maps);
    } catch (const std::invalid_argument&) {
      return;
    }
    std::cerr << "ratios_bench: NaN was not refused\n";
    std::exit(EXIT_FAILURE);
  };
  compare("Aggregate that refuses a NaN / Aggregate", rounds, refused,
          [&] { diffseg::Aggregate{}(bench::coffee(), maps); }, {false, 1.5});
}

/// The layers as NAME.npy files in `folder`; their names.
std::vector<std::string> write_files(const bench::Layers& layers,
                                     const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const diffseg::Layer& layer : layers) {
    const auto values = bench::numbers(layer);
    names.push_back(std::to_string(layer.keys.width));
    diffseg::write_npy<float>(folder / (names.back() + ".npy"),
                              {layer.heads, layer.queries.cells(), layer.keys.cells()},
                              {values.data(), static_cast<std::size_t>(values.size())});
  }
  return names;
}

/// The .npy files `names` of `folder` as members of one archive, the large ones where nobody must
/// copy them.
void write_archive(const std::filesystem::path& folder, const std::vector<std::string>& names,
                   const std::filesystem::path& path) {
  std::vector<support::ZipEntry> entries;
  for (const std::string& name : names) {
    entries.push_back({name + ".npy", support::text_of(folder / (name + ".npy"))});
  }
  support::write_text(path, support::zip_of(entries).bytes);
}

/// Attention from files that the system has cached, beside the same in memory.
void file_ratios(int rounds) {
  const auto layers = bench::make_coffee<float>(2);
  const auto folder = std::filesystem::temp_directory_path() / "diffseg_ratios_bench";
  std::filesystem::create_directories(folder);
  const auto names = write_files(layers, folder);
  write_archive(folder, names, folder / "all.npz");
  bench::Maps<float> maps;
  const auto files = [&] {
    bench::Layers read;
    for (const auto& name : names) {
      read.push_back(diffseg::layer_from(diffseg::read_npy(folder / (name + ".npy"))));
    }
    diffseg::Aggregate{}(read, maps);
  };
  const auto archive = [&] {
    const diffseg::NpzFile file(folder / "all.npz");
    bench::Layers read;
    for (const auto& name : names) read.push_back(diffseg::layer_from(file.read(name)));
    diffseg::Aggregate{}(read, maps);
  };
  const auto memory = [&] { diffseg::Aggregate{}(layers, maps); };
  memory();
  const bench::Maps<float> expected = maps;
  for (const std::function<void()>& read : {std::function<void()>(files), {archive}}) {
    read();
    if (maps.rows() == expected.rows()) continue;
    std::cerr << "ratios_bench: files give other maps than memory\n";
    std::exit(EXIT_FAILURE);
  }
  compare("map .npy files + Aggregate / from memory", rounds, files, memory, {false, 1.2});
  compare("read .npz + Aggregate / map .npy files + Aggregate", rounds, archive, files,
          {false, 1.15});
  std::filesystem::remove_all(folder);
}

/// One layer of one head of f32: four times the tokens, sixteen times the bytes and the pairs.
void scaling_ratios(int rounds) {
  const diffseg::SegmentOptions options = {.merge = {{1.3, 1.3, 1.3}}};
  const bench::Layers small = bench::scaled_attention({64, 1, 1});
  const bench::Layers& large = bench::scaled_attention({128, 1, 1});
  const double peak = bench::peak_bytes([&] { (void)diffseg::segment(large, options); });
  const double maps = 4.0 * 16384 * 16384;
  char megabytes[64];
  std::snprintf(megabytes, sizeof(megabytes), "%.0f / %.0f MB", peak / 1e6, maps / 1e6);
  if (peak > 0) {
    print("peak memory beyond the input / Maps, 16384 tokens", megabytes, 0, peak / maps, 0,
          {false, 1.15});
  }
  diffseg::Segmentation<float> out, large_out;
  compare(
      "segment, 16384 / 4096 tokens", std::min(rounds, 7),
      [&] { diffseg::segment(large, options, large_out); },
      [&] { diffseg::segment(small, options, out); }, {false, 18});
  volatile std::uint32_t sum = 0;
  compare(
      "segment, 16384 tokens, reused / one read of its input", std::min(rounds, 5),
      [&] { diffseg::segment(large, options, large_out); }, [&] { sum = bench::read_all(large); },
      {false, 6});
}

void memory_ratio() {
  const auto& layers = bench::coffee();
  const double peak = bench::peak_bytes([&] { (void)diffseg::segment(layers); });
  const double maps = 4096.0 * 4096 * sizeof(float);
  if (peak < 0) return void(std::puts("| peak memory: the system does not tell |"));
  char megabytes[64];
  std::snprintf(megabytes, sizeof(megabytes), "%.1f / %.1f MB", peak / 1e6, maps / 1e6);
  print("peak memory of segment beyond its input / Maps", megabytes, 0, peak / maps, 0,
        {false, 1.6});
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 15;
  if (const std::string complaint = check_all(); !complaint.empty()) {
    std::cerr << "ratios_bench: " << complaint << '\n';
    return EXIT_FAILURE;
  }
  std::printf("Labels equal to the golden ones. %d rounds, %d threads, ms: medians.\n\n", rounds,
              diffseg::detail::thread_count());
  std::printf("| %-52s | %-18s | %6s | %-13s | %-13s |\n", "A / B", "A / B, ms", "ratio",
              "quartiles", "goal");
  std::puts("|---|---|---|---|---|");
  compare_ratios(rounds, "two full products / Compare, coffee 0.9",
                 "logs and two full products / Compare, coffee 0.9", bench::coffee_similarities(),
                 {true, 6});
  compare_ratios(rounds, "two full products / Compare, photo 1.3",
                 "logs and two full products / Compare, photo 1.3", bench::photo_similarities(),
                 {true, 5});
  assign_ratio(rounds);
  pipeline_ratios(rounds);
  threshold_ratio(rounds);
  mean_ratios(rounds);
  throughput_ratio(rounds);
  products_ratio<float>("Aggregate of queries and keys / their products alone", rounds, 8, 40,
                        {false, 1.5});
  products_ratio<Eigen::half>("the same, 72 heads of 64 numbers in f16", std::min(rounds, 5), 72,
                              64, {false, 1.4});
  half_ratio(rounds);
  sparse_ratio(rounds);
  refusal_ratio(rounds);
  file_ratios(rounds);
  memory_ratio();
  scaling_ratios(rounds);
  return EXIT_SUCCESS;
}
