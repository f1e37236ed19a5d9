// SPDX-License-Identifier: MIT
// Large inputs, each checked where a plain loop can look: big [--only NAME]. 16,384 tokens end to
// end, 128 heads, 60 layers, sizes that overflow, a sparse layer of a million rows, labels of 24
// megapixels, 200 thresholds, 10,000 calls in a row. Some minutes and below 8 GiB; the exit status
// is 1 when anything is wrong. Stands in for malloc to count: Linux with glibc.
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <compiled/float.hpp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <diffseg/labels/evaluate.hpp>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "support/heap.hpp"
#include "trust/layers.hpp"
#include "trust/plain/attention.hpp"
#include "trust/plain/merge.hpp"

namespace {

std::atomic<std::size_t> largest{0};      // bytes of one allocation
std::atomic<std::size_t> allocations{0};  // that were made

}  // namespace

bool support::may_take(std::size_t /*bytes*/) {
  return true;
}

void support::taken(void* /*place*/, std::size_t bytes) {
  ++allocations;
  std::size_t before = largest;
  while (bytes > before && !largest.compare_exchange_weak(before, bytes)) {
  }
}

void support::given(void* /*place*/) {}

namespace {

using namespace diffseg;
using trust::epsilon;

int failures = 0;
Index checks = 0;

void check(bool right, const std::string& what) {
  ++checks;
  if (right) return;
  ++failures;
  std::printf("  WRONG: %s\n", what.c_str());
}

/// Resident bytes now, from /proc.
double resident() {
  double pages = 0;
  double own = 0;
  std::ifstream("/proc/self/statm") >> pages >> own;
  return own * 4096;
}

/// Numbers that cost nothing to make.
class Quick {
 public:
  explicit Quick(std::uint64_t seed) : state_(seed) {}
  /// -1 .. 1.
  float next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<float>(static_cast<std::int32_t>(state_ >> 32)) * 0x1p-31F;
  }

 private:
  std::uint64_t state_;
};

/// Queries or keys that change slowly over the grid, so that neighbours resemble each other.
std::vector<Eigen::half> waves(Index heads, GridSize grid, Index depth, std::uint64_t seed) {
  Quick random(seed);
  std::vector<float> rates(static_cast<std::size_t>(heads * depth * 2));
  for (float& rate : rates) rate = 9 * random.next();
  std::vector<Eigen::half> values;
  values.reserve(static_cast<std::size_t>(heads * grid.cells() * depth));
  for (Index head = 0; head < heads; ++head) {
    for (Index cell = 0; cell < grid.cells(); ++cell) {
      const auto y = static_cast<float>(cell / grid.width) / static_cast<float>(grid.height);
      const auto x = static_cast<float>(cell % grid.width) / static_cast<float>(grid.width);
      for (Index i = 0; i < depth; ++i) {
        const auto place = static_cast<std::size_t>(2 * (head * depth + i));
        values.emplace_back(2 * std::cos(rates[place] * y + rates[place + 1] * x));
      }
    }
  }
  return values;
}

/// Rows of maps against plain loops; layers on the working grid alone.
void check_rows(const Maps<float>& maps, const Layers& layers, const std::vector<Index>& tokens) {
  double sum = 0;
  for (const Layer& layer : layers) sum += std::sqrt(static_cast<double>(layer.queries.cells()));
  const GridSize grid = maps.grid();
  for (const Index token : tokens) {
    plain::Numbers value = plain::Numbers::Zero(maps.tokens());
    plain::Numbers error = value;
    for (const Layer& layer : layers) {
      const Index y = token / grid.width * layer.queries.height / grid.height;
      const Index x = token % grid.width * layer.queries.width / grid.width;
      const Index query = y * layer.queries.width + x;
      plain::Row row = plain::resampled(
          plain::head_mean(layer, query), plain::mass(layer.keys.height, grid.height),
          plain::mass(layer.keys.width, grid.width), epsilon<double> / epsilon<float>);
      plain::normalise(row, static_cast<double>(layer.keys.cells()));
      const double weight = std::sqrt(static_cast<double>(layer.queries.cells())) / sum;
      value += weight * row.value;
      error += weight * (row.error + static_cast<double>(layers.size() + 8) * row.value);
    }
    bool right = true;
    for (Index i = 0; i < maps.tokens(); ++i) {
      const double found = static_cast<double>(maps.rows()(token, i));
      const double bound = epsilon<float> * error[i] + 2e-30;
      right = right && std::abs(found - std::max(value[i], 1e-30)) <= bound;
    }
    check(right, "map " + std::to_string(token));
    check(std::abs(maps.rows().row(token).cast<double>().sum() - 1) < 1e-5, "the sum of a map");
  }
}

void check_labels(const Labels& labels, GridSize size) {
  check(labels.size == size, "the size of the labels");
  labels.check("big");
  std::vector<Index> pixels(labels.proposals.size(), 0);
  for (const std::int32_t label : labels.values) ++pixels[static_cast<std::size_t>(label)];
  for (const Index count : pixels) check(count > 0, "a label without pixels");
}

void tokens_16384() {
  const GridSize grids[] = {{128, 128}, {64, 64}, {32, 32}};
  constexpr Index heads = 4;
  constexpr Index depth = 16;
  std::vector<std::vector<Eigen::half>> kept;
  Layers layers;
  for (const GridSize grid : grids) {
    kept.push_back(waves(heads, grid, depth, static_cast<std::uint64_t>(grid.height)));
    const Eigen::half* const both = kept.back().data();
    layers.push_back(Layer::queries_and_keys(both, both, heads, depth, grid));
  }
  const SegmentOptions options{.assign = {.size = {1024, 1024}}};
  const double foretold = segment_memory(layers, options, 1).total();
  Segmentation<float> out;
  segment(layers, options, out);
  check(resident() < foretold + 3e8, "memory below what segment_memory foretells");
  check_rows(out.maps, layers, {0, 127, 5000, 16383});
  check_labels(out.labels, {1024, 1024});
  const Matrix<double> anchor =
      out.maps.rows().row(out.similarities.anchors[77]).template cast<double>();
  std::vector<double> stored(16384, -1);
  using Row = Eigen::SparseMatrix<float, Eigen::RowMajor, int>::InnerIterator;
  for (Row entry(out.similarities.divergences, 77); entry; ++entry) {
    stored[static_cast<std::size_t>(entry.col())] = static_cast<double>(entry.value());
  }
  for (Index row = 0; row < 16384; row += 31) {
    const Matrix<double> other = out.maps.rows().row(row).template cast<double>();
    const auto expected = plain::divergence(anchor.data(), other.data(), 16384);
    const double bound = epsilon<float> * expected.error;
    const double found = stored[static_cast<std::size_t>(row)];
    if (std::abs(expected.value - 0.9) <= bound) continue;
    check((found >= 0) == (expected.value < 0.9), "a pair below the ceiling");
    if (found >= 0) check(std::abs(found - expected.value) <= bound, "a divergence");
  }
  std::printf("  %td proposals, %td labels, %td pairs\n", out.proposals.rows.rows(),
              out.labels.count(), out.similarities.divergences.nonZeros());
}

void heads_128() {
  constexpr Index heads = 128;
  const GridSize grid{32, 32};
  std::vector<Eigen::half> values(static_cast<std::size_t>(heads * 1024 * 1024));
  Quick random(3);
  for (auto& value : values) {
    const float one = random.next();
    value = static_cast<Eigen::half>(one * one * one * one / 200);
  }
  const Layers layers = {Layer::view(values.data(), heads, grid)};
  const auto maps = Aggregate{}(layers);
  check_rows(maps, layers, {0, 511, 1023});
  Layer weighted = layers.front();
  weighted.head_weights.assign(heads, 0);
  weighted.head_weights[77] = 1;
  check(Aggregate{}(Layers{weighted}).rows() ==
            Aggregate{}(Layers{Layer::view(values.data() + 77 * 1024 * 1024, 1, grid)}).rows(),
        "one head of 128");
}

void layers_60() {
  std::vector<std::vector<Eigen::half>> kept;
  Layers layers;
  for (Index i = 0; i < 60; ++i) {
    const Index side = Index{8} << (i % 4);
    kept.push_back(waves(2, {side, side}, 8, static_cast<std::uint64_t>(i)));
    const Eigen::half* const both = kept.back().data();
    layers.push_back(Layer::queries_and_keys(both, both, 2, 8, {side, side}));
  }
  const auto maps = Aggregate{}(layers);
  check_rows(maps, layers, {1, 2050, 4095});
  AggregateStream<float> stream({64, 64});
  for (const Layer& layer : layers) stream.add(layer);
  check(stream.finish().rows() == maps.rows(), "one by one, the same bits");
}

/// A call must be refused with `part` in its message and allocate nothing large on its way.
void refused(const char* what, const std::string& part, const std::function<void()>& call) {
  largest = 0;
  std::string message = "nothing refused";
  try {
    call();
  } catch (const std::invalid_argument& error) {
    message = error.what();
  }
  check(message.find(part) != std::string::npos, std::string(what) + ": " + message);
  check(largest < 64 * 1024, std::string(what) + " allocates " + std::to_string(largest));
}

void overflows() {
  const float one = 1;
  for (const Index side : {Index{46341}, Index{65536}}) {
    const std::string number = std::to_string(side);
    const GridSize square{side, side};
    const std::string cells = std::to_string(side * side);  // of a grid, as a layer counts them
    refused("a layer", cells, [&] { (void)Layer::view(&one, 1, square); });
    refused("queries and keys", cells,
            [&] { (void)Layer::queries_and_keys(&one, &one, 1, Index{1} << 31, square); });
    refused("maps", number, [&] { Maps<float>().reset(square); });
    refused("a working grid", number, [&] {
      (void)Aggregate{.grid = square}(Layers{Layer::view(&one, 1, {1, 1})});
    });
    refused("a stream", number, [&] { (void)AggregateStream<float>(square); });
    const Labels labels{{1, 1}, {0}, {0}};
    refused("confusion", number, [&] { (void)confusion(labels, labels, side, side); });
    refused("labels of a photo", number, [&] { (void)Tidy{}(Labels{square, {0}, {0}}); });
    refused("a photo", number, [&] { (void)Image<float>(square, 3, {1.0F}); });
    refused("a budget", "memory_budget", [&] {
      (void)segment(Layers{Layer::view(&one, 1, {1, 1})}, {.compare = {.anchors = {1, 1}},
                                                           .assign = {.size = square},
                                                           .memory_budget = Index{1} << 30});
    });
    refused("a size", number, [&] {
      (void)Aggregate{}(Layers{Layer::view(&one, 1, {side, 1}, {side, side * side * side})});
    });
    const Labels two{{2, 1}, {0, static_cast<std::int32_t>(side - 1)}, {}};
    largest = 0;
    const SparseCounts table = sparse_confusion(two, two, side, side);
    const auto columns = class_matching(table);
    check(columns.front() == 0 && columns.back() == side - 1, "a matching of many classes");
    check(largest < 16 * static_cast<std::size_t>(side) + 65536, "a dense table of many classes");
  }
}

void sparse_million() {
  const GridSize queries{1000, 1000};
  const GridSize keys{32, 32};
  constexpr Index stored = 12;
  std::vector<float> values;
  std::vector<std::int32_t> columns;
  std::vector<Index> starts = {0};
  values.reserve(12'000'000);
  columns.reserve(12'000'000);
  starts.reserve(1'000'001);
  Quick random(5);
  for (Index row = 0; row < queries.cells(); ++row) {
    const Index count = row % 7 == 3 ? 1 : stored;
    for (Index i = 0; i < count; ++i) {
      const float number = random.next();
      values.push_back(number * number + 0.01F);
      columns.push_back(static_cast<std::int32_t>((row / 97 + i * i * 7) % 1024));
    }
    std::sort(columns.end() - count, columns.end());
    const auto end = std::unique(columns.end() - count, columns.end());
    values.resize(values.size() - static_cast<std::size_t>(columns.end() - end));
    columns.erase(end, columns.end());
    starts.push_back(static_cast<Index>(values.size()));
  }
  const Layer layer = Layer::owning(values, columns, starts, 1, queries, keys);
  const auto maps = Aggregate{.grid = keys, .floor = 1e-9}(Layers{layer});
  const auto down = plain::repeat(queries.height, keys.height);
  for (const Index token : {Index{0}, Index{500}, Index{1023}}) {
    plain::Numbers expected = plain::Numbers::Zero(1024);
    for (Index query = 0; query < queries.cells(); ++query) {
      const double share = down(token / 32, query / 1000) * down(token % 32, query % 1000);
      if (share == 0) continue;
      const auto row = plain::sparse_row(layer, 0, query).value;
      expected += share * row / row.sum();
    }
    expected = expected.max(1e-9);
    expected /= expected.sum();
    double worst = 0;
    for (Index i = 0; i < 1024; ++i) {
      const double found = static_cast<double>(maps.rows()(token, i));
      worst = std::max(worst, std::abs(found - expected[i]) / expected[i]);
    }
    check(worst < 1100 * epsilon<float>, "a map of a million rows");
  }
  std::printf("  %zu numbers in %zu rows\n", values.size(), starts.size() - 1);
}

Proposals<float> some_proposals() {
  const GridSize grid{48, 72};
  Proposals<float> proposals;
  proposals.maps = {grid, Matrix<float>::Constant(grid.cells(), grid.cells(), 1)};
  proposals.rows.resize(60, grid.cells());
  Quick random(9);
  for (Index k = 0; k < 60; ++k) {
    const float y = 48 * std::abs(random.next());
    const float x = 72 * std::abs(random.next());
    for (Index i = 0; i < grid.cells(); ++i) {
      const float dy = static_cast<float>(i / 72) - y;
      const float dx = static_cast<float>(i % 72) - x;
      proposals.rows(k, i) = std::exp(-(dy * dy + dx * dx) / 60) + 1e-6F;
    }
  }
  return proposals;
}

void megapixels_24() {
  const GridSize size{4000, 6000};
  const auto proposals = some_proposals();
  const Labels labels = Assign{.size = size}(proposals);
  check_labels(labels, size);
  const plain::Table rows = plain::bilinear(48, size.height);
  const plain::Table columns = plain::bilinear(72, size.width);
  for (Index pixel = 11; pixel < size.cells(); pixel += 400'009) {
    std::vector<double> value(60, 0);
    for (Index k = 0; k < 60; ++k) {
      for (Index i = 0; i < 48 * 72; ++i) {
        value[static_cast<std::size_t>(k)] += rows(pixel / 6000, i / 72) *
                                              columns(pixel % 6000, i % 72) *
                                              static_cast<double>(proposals.rows(k, i));
      }
    }
    const Index found =
        labels.proposals[static_cast<std::size_t>(labels.values[static_cast<std::size_t>(pixel)])];
    const double most = *std::max_element(value.begin(), value.end());
    check(value[static_cast<std::size_t>(found)] >= most * (1 - 2e-6), "the largest proposal");
  }
  Image<float> photo(size, 3, {});
  photo.values.reserve(static_cast<std::size_t>(3 * size.cells()));
  Quick random(1);
  for (Index i = 0; i < 3 * size.cells(); ++i) {
    photo.values.push_back(0.5F + 0.3F * random.next() + (i / 1800 % 2 == 0 ? 0.1F : 0));
  }
  const Labels fitted = FitBorders{.radius = 8, .min_area = 0}(labels, photo);
  Index changed = 0;
  for (Index i = 0; i < size.cells(); ++i) {
    const auto place = static_cast<std::size_t>(i);
    if (fitted.values[place] == labels.values[place]) continue;
    ++changed;
    if (changed % 997 != 0) continue;
    bool near = false;  // a border within twice the radius
    for (Index dy = -16; dy <= 16; ++dy) {
      for (Index dx = -16; dx <= 16; ++dx) {
        const Index y = std::clamp<Index>(i / 6000 + dy, 0, 3999);
        const Index x = std::clamp<Index>(i % 6000 + dx, 0, 5999);
        near =
            near || labels.values[static_cast<std::size_t>(y * 6000 + x)] != labels.values[place];
      }
    }
    check(near, "a pixel far from borders has changed");
  }
  check(changed > 0, "no border was fitted");
  const Labels tidy = Tidy{.min_area = 0.002, .split = true}(fitted);
  check_labels(tidy, size);
  check(Tidy{.min_area = 0.002}(tidy).values == tidy.values, "a second pass changes something");
  const SparseCounts table = sparse_contingency(fitted, labels);
  check(table.sum() == size.cells(), "pixels of the contingency table");
  check(score(sparse_contingency(labels, labels)).covering == 1, "covering of the same");
  check(score(sparse_contingency(labels, labels)).adjusted_rand_index == 1, "ARI of the same");
  check(score_boundaries(labels, labels).f_measure == 1, "borders of the same");
  Index right = 0;
  for (const Index column : class_matching(table)) right += column >= 0 ? 1 : 0;
  check(right > 0, "a matching");
  std::printf("  %td labels, %td pixels changed, %td labels tidied\n", labels.count(), changed,
              tidy.count());
}

void thresholds_200() {
  trust::Tally tally;
  trust::Case test(11, tally);
  const auto maps = support::random_maps<float>(test.random, {48, 48}, 12, 0.5, 0.8);
  const auto similarities = Compare{.anchors = {16, 16}, .ceiling = 3}(maps);
  Sweep sweep;
  for (int i = 1; i <= 200; ++i) sweep.thresholds.push_back(0.015 * i);
  const auto points = sweep(similarities);
  check(points.size() == 200, "points");
  for (std::size_t i = 0; i < 200; i += 39) {
    const auto proposals = sweep.merge(sweep.thresholds[i])(similarities);
    const auto told =
        plain::told(maps.rows().cast<double>(), plain::partition(proposals.rows.cast<double>()));
    check(points[i].segments == told.segments, "segments of a threshold");
    check(std::abs(points[i].information - told.information / told.cells) <
              2 * epsilon<float> * told.error / told.cells,
          "information of a threshold");
    const auto alone = Sweep{{sweep.thresholds[i]}}(similarities).front();
    check(alone.segments == points[i].segments, "a threshold alone");
  }
  std::printf("  %td .. %td segments\n", points.back().segments, points.front().segments);
}

void calls_10000() {
  trust::Tally tally;
  trust::Case test(13, tally);
  trust::Made made;
  for (const GridSize grid : {GridSize{12, 12}, GridSize{6, 6}}) {
    add_layer(test, grid, grid, LayerKind::probabilities, made);
    add_layer(test, grid, grid, LayerKind::queries_keys, made);
  }
  std::vector<std::size_t> counts;
  std::vector<double> bytes;
  std::size_t before = allocations;
  for (Index call = 0; call < 10000; ++call) {
    // More shapes than the caches keep, in turns.
    const Labels labels = segment(
        made.layers, {.compare = {.anchors = {4, 4}, .fit = true},
                      .merge = {.thresholds = {0.2 + 0.01 * static_cast<double>(call % 50)}},
                      .assign = {.size = {24 + call % 100, 32}}});
    static_cast<void>(Tidy{}(labels));
    if (call % 1000 != 999) continue;
    counts.push_back(allocations - before);
    before = allocations;
    bytes.push_back(resident());
  }
  for (std::size_t i = 2; i < counts.size(); ++i) {
    // Which thread gets which work is a matter of chance, and with it the growth of a scratch.
    check(counts[i] < counts[1] + counts[1] / 1000,
          "allocations of a thousand calls: " + std::to_string(counts[i]) + ", before " +
              std::to_string(counts[1]));
    check(bytes[i] < bytes[1] + (1 << 20), "the process grows");
  }
  std::printf("  %zu allocations in each thousand calls, %.1f MB after 2,000, %.1f after 10,000\n",
              counts.back(), bytes[1] / 1e6, bytes.back() / 1e6);
}

struct Part {
  const char* name;
  void (*run)();
};

}  // namespace

int main(int count, char** words) {
  const bool given = count == 3 && std::string(words[1]) == "--only";
  if (count != 1 && !given) {
    std::puts("big [--only NAME]");
    return 2;
  }
  const Part parts[] = {{"calls", calls_10000},        {"overflows", overflows},
                        {"heads", heads_128},          {"layers", layers_60},
                        {"sparse", sparse_million},    {"thresholds", thresholds_200},
                        {"megapixels", megapixels_24}, {"tokens", tokens_16384}};
  for (const Part& part : parts) {
    if (given && std::string(words[2]) != part.name) continue;
    const Index before = checks;
    const auto start = std::chrono::steady_clock::now();
    std::printf("%s\n", part.name);
    try {
      part.run();
    } catch (const std::exception& error) {
      check(false, std::string("exception: ") + error.what());
    }
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("  %td checks, peak so far %.2f GB, %.0f s\n", checks - before,
                static_cast<double>(usage.ru_maxrss) * 1024e-9, seconds.count());
    std::fflush(stdout);
  }
  std::printf("%td checks, %d wrong\n", checks, failures);
  return failures == 0 && checks > 0 ? 0 : 1;
}
