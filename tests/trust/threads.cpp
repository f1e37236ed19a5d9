// SPDX-License-Identifier: MIT
// What threads may do to results: nothing. threads [--repeats N]. Every stage for 1 .. 16 threads,
// N times (100: some minutes), beside Eigen's own threads; callers side by side on the shared
// caches; inside a caller's parallel region; in children of fork; after exceptions of every region.
// threads.sh builds and runs it with several compilers. The exit status is 1 when anything differs.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <diffseg/attention/sharpen.hpp>
#include <diffseg/attention/sinks.hpp>
#include <diffseg/attention/top_k.hpp>
#include <diffseg/diffseg.hpp>
#include <diffseg/merge/refine_projected.hpp>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "trust/layers.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

using namespace diffseg;
using Hash = std::uint64_t;

int differences = 0;

void check(bool right, const std::string& what) {
  if (right) return;
  ++differences;
  std::printf("DIFFERS: %s\n", what.c_str());
}

/// FNV-1a.
class Hasher {
 public:
  template <class Number>
  Hasher& add(const Number* numbers, Index count) {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(numbers);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count) * sizeof(Number); ++i) {
      hash_ = (hash_ ^ bytes[i]) * 0x100000001b3U;
    }
    return *this;
  }
  template <class Dense>
  Hasher& add(const Dense& numbers) {
    return add(numbers.data(), static_cast<Index>(numbers.size()));
  }
  [[nodiscard]] Hash hash() const { return hash_; }

 private:
  Hash hash_ = 0xcbf29ce484222325U;
};

Hash hash_of(const Maps<float>& maps) {
  return Hasher().add(maps.rows()).hash();
}
Hash hash_of(const Labels& labels) {
  return Hasher().add(labels.values).add(labels.proposals).hash();
}
Hash hash_of(const Proposals<float>& proposals) {
  return Hasher().add(proposals.rows).add(proposals.row_counts).hash();
}
Hash hash_of(const Similarities<float>& found) {
  const auto& table = found.divergences;
  return Hasher()
      .add(table.valuePtr(), table.nonZeros())
      .add(table.innerIndexPtr(), table.nonZeros())
      .add(&found.evaluated, 1)
      .hash();
}
Hash hash_of(const Layer& layer) {
  if (layer.kind == LayerKind::sparse) {
    const Index count = layer.row_starts[layer.heads * layer.queries.cells()];
    return Hasher()
        .add(static_cast<const char*>(layer.data), count * detail::element_bytes(layer.type))
        .add(static_cast<const std::int32_t*>(layer.columns), count)
        .hash();
  }
  return Hasher().add(static_cast<const char*>(layer.data), layer.bytes()).hash();
}
Hash hash_of(const std::vector<SweepPoint>& points) {
  Hasher hasher;
  for (const SweepPoint& point : points) {
    hasher.add(&point.segments, 1).add(&point.information, 1).add(&point.score, 1);
  }
  return hasher.hash();
}

/// What all stages work on; made once.
struct Inputs {
  trust::Made made;      // of every kind
  trust::Made dense;     // for those that take nothing else
  trust::Made cross;     // over tokens
  trust::Made products;  // queries with keys alone
  Maps<float> maps;
  Similarities<float> similarities;
  Proposals<float> proposals;
  Labels labels;
  Image<float> photo;
  CrossMaps<float> cross_maps;
  Name name;

  explicit Inputs(std::uint64_t seed) {
    trust::Tally tally;
    trust::Case test(seed, tally);
    for (const LayerKind kind : {LayerKind::probabilities, LayerKind::scores,
                                 LayerKind::queries_keys, LayerKind::sparse}) {
      add_layer(test, {18, 22}, {18, 22}, kind, made);
      add_layer(test, {9, 11}, {9, 11}, kind, made);
      add_layer(test, {14, 9}, {1, 7}, kind, cross);
      if (kind == LayerKind::queries_keys) add_layer(test, {18, 22}, {18, 22}, kind, products);
    }
    add_layer(test, {18, 22}, {18, 22}, LayerKind::probabilities, dense);
    maps = support::random_maps<float>(test.random, {18, 22}, 5, 0.4, 1);
    similarities = Compare{.anchors = {9, 11}, .ceiling = 2}(maps);
    proposals = Merge{.thresholds = {0.9, 0.9}}(similarities);
    labels = Assign{.size = {200, 310}}(proposals);
    photo = Image<float>({200, 310}, 3, {});
    for (Index i = 0; i < 3 * photo.size.cells(); ++i) {
      photo.values.push_back(static_cast<float>(test.random.uniform()));
    }
    cross_maps = AggregateCross{.size = {200, 310}}(cross.layers);
    name.nouns = {{"cat", 0, 2}, {"tree", 2, 3}, {"sky", 4, 7}};
  }
};

/// A stage and the bits it gives.
struct Stage {
  const char* name;
  std::function<Hash(const Inputs&)> run;
};

Hash stream(const Inputs& in) {
  AggregateStream<float> sums({18, 22});
  for (const Layer& layer : in.made.layers) sums.add(layer);
  return hash_of(sums.finish());
}

std::vector<Stage> stages() {
  using In = const Inputs&;
  return {
      {"Downsample",
       [](In in) {
         return hash_of(Downsample{{7, 9}}(in.dense.layers).front());
       }},
      {"Downsample maps",
       [](In in) {
         return hash_of(Downsample{{7, 9}}(in.maps));
       }},
      {"Aggregate", [](In in) { return hash_of(Aggregate{}(in.made.layers)); }},
      {"Aggregate products", [](In in) { return hash_of(Aggregate{}(in.products.layers)); }},
      {"Aggregate sampled",
       [](In in) { return hash_of(Aggregate{.shrink = 2, .sample = true}(in.made.layers)); }},
      {"AggregateStream", stream},
      {"AggregateCross",
       [](In in) {
         return Hasher().add(AggregateCross{.size = {90, 70}}(in.cross.layers).values).hash();
       }},
      {"top_k", [](In in) { return hash_of(top_k(in.dense.layers.front(), 17)); }},
      {"keep_mass", [](In in) { return hash_of(keep_mass(in.dense.layers.front(), 0.6)); }},
      {"key_shares", [](In in) { return Hasher().add(key_shares(in.made.layers.front())).hash(); }},
      {"Sharpen", [](In in) { return hash_of(Sharpen{.power = 2.5}(in.maps)); }},
      {"Compare",
       [](In in) {
         return hash_of(Compare{.anchors = {9, 11}, .ceiling = 2}(in.maps));
       }},
      {"Merge", [](In in) { return hash_of(Merge{}(in.similarities)); }},
      {"Sweep",
       [](In in) {
         return hash_of(Sweep{{0.2, 0.5, 1.1}}(in.similarities));
       }},
      {"Choose", [](In in) { return hash_of(std::vector{Choose{}(in.similarities)}); }},
      {"Choose segments",
       [](In in) { return hash_of(std::vector{Choose{.segments = 4}(in.similarities)}); }},
      {"Refine", [](In in) { return hash_of(Refine{}(in.proposals)); }},
      {"RefineProjected",
       [](In in) { return hash_of(RefineProjected{.components = 8}(in.proposals)); }},
      {"minibatch",
       [](In in) {
         return hash_of(RefineProjected{
             .mode = RefineProjected::Mode::minibatch, .components = 8, .batch = 64}(in.proposals));
       }},
      {"Assign",
       [](In in) {
         return hash_of(Assign{.size = {301, 207}}(in.proposals));
       }},
      {"Tidy", [](In in) { return hash_of(Tidy{.split = true}(in.labels)); }},
      {"FitBorders", [](In in) { return hash_of(FitBorders{.radius = 3}(in.labels, in.photo)); }},
      {"Name", [](In in) { return Hasher().add(in.name(in.cross_maps, in.labels).nouns).hash(); }},
      {"DownsamplePhoto",
       [](In in) {
         return Hasher().add(DownsamplePhoto{{77, 91}}(in.photo).values).hash();
       }},
      {"Affinity", [](In in) { return hash_of(Affinity{.cells = 256}(in.photo).front()); }},
      {"segment",
       [](In in) {
         return hash_of(segment(in.made.layers, {.compare = {.anchors = {9, 11}},
                                                 .merge = {.thresholds = {0.3, 0.3}},
                                                 .assign = {.size = {64, 96}}}));
       }},
  };
}

/// Threads that parallel regions may have from now on.
void allow(int threads) {
#ifdef _OPENMP
  omp_set_num_threads(threads);
#else
  static_cast<void>(threads);
#endif
}

/// The bits of every stage on one thread.
std::vector<Hash> alone(const std::vector<Stage>& all, const Inputs& in) {
  const ThreadLimit one(1);
  std::vector<Hash> hashes;
  for (const Stage& stage : all) hashes.push_back(stage.run(in));
  return hashes;
}

bool same(const std::vector<Stage>& all, const Inputs& in, const std::vector<Hash>& expected,
          const char* when) {
  bool right = true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool own = all[i].run(in) == expected[i];
    if (!own) check(false, std::string(all[i].name) + ", " + when);
    right = right && own;
  }
  return right;
}

void check_counts(const std::vector<Stage>& all, const Inputs& in, int repeats) {
  const auto expected = alone(all, in);
  for (int round = 0; round < repeats; ++round) {
    for (int i = 0; i < 16; ++i) {
      // Another order in every round: what one call leaves must not matter to the next.
      const int threads = 1 + (i * 5 + round) % 16;
      const std::string when = std::to_string(threads) + " threads";
      allow(round % 2 == 0 ? 16 : threads);
      const ThreadLimit limit(threads);
      Eigen::setNbThreads(round % 3 == 0 ? 0 : threads);
      same(all, in, expected, when.c_str());
    }
  }
  Eigen::setNbThreads(0);
  allow(16);
  std::printf("1 .. 16 threads x %d: %zu stages\n", repeats, all.size());
}

/// Many shapes, so that the caches drop some that others hold, from eight callers at once.
void check_callers(const std::vector<Stage>& all, const Inputs& in) {
  const auto shape = [&](Index i) {
    const Assign stage{.size = {20 + i % 97, 31 + i % 89}};
    const SegmentOptions options{.aggregate = {.grid = {3 + i % 13, 4 + i % 11}},
                                 .compare = {.anchors = {2 + i % 2, 3}},
                                 .merge = {.thresholds = {0.4}},
                                 .assign = stage};
    return hash_of(segment(in.made.layers, options));
  };
  constexpr Index shapes = 200;
  std::vector<Hash> expected;
  for (Index i = 0; i < shapes; ++i) expected.push_back(shape(i));
  const auto hashes = alone(all, in);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (Index caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      const ThreadLimit limit(1 + static_cast<int>(caller) % 3);
      for (Index i = 0; i < shapes; ++i) {
        const Index own = (i * (2 * caller + 1)) % shapes;
        wrong += shape(own) == expected[static_cast<std::size_t>(own)] ? 0 : 1;
      }
      for (std::size_t i = 0; i < all.size(); ++i) {
        const std::size_t own = (i + static_cast<std::size_t>(3 * caller)) % all.size();
        wrong += all[own].run(in) == hashes[own] ? 0 : 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  check(wrong == 0, "callers side by side: " + std::to_string(wrong) + " results");
  std::printf("8 callers x (%td shapes and %zu stages)\n", shapes, all.size());
}

void check_inside_regions(const std::vector<Stage>& all, const Inputs& in) {
  const auto expected = alone(all, in);
  std::atomic<int> wrong{0};
#pragma omp parallel for schedule(dynamic) num_threads(4)
  for (int i = 0; i < 4 * static_cast<int>(all.size()); ++i) {
    const auto own = static_cast<std::size_t>(i) % all.size();
    wrong += all[own].run(in) == expected[own] ? 0 : 1;
  }
  detail::parallel_for(static_cast<Index>(all.size()), [&](Index i) {
    const auto own = static_cast<std::size_t>(i);
    wrong += all[own].run(in) == expected[own] ? 0 : 1;
  });
  check(wrong == 0, "inside a parallel region: " + std::to_string(wrong) + " results");
  std::printf("inside the caller's region and the library's: %zu stages\n", all.size());
}

/// The exit status of a child that does `work`, killed by its own alarm after a minute.
template <class Work>
int child_of(const Work& work) {
  const pid_t id = ::fork();
  if (id == 0) {
    ::alarm(60);
    ::_exit(work());
  }
  int status = -1;
  ::waitpid(id, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void check_children(const std::vector<Stage>& all, const Inputs& in) {
  const auto expected = alone(all, in);
  const auto answer = [&] { return same(all, in, expected, "in a child") ? 0 : 1; };
  for (int round = 0; round < 5; ++round) {
    check(child_of(answer) == 0, "a child of fork");
    check(child_of([&] { return child_of(answer); }) == 0, "a child of a child");
    int from_thread = -1;
    std::thread([&] { from_thread = child_of(answer); }).join();
    check(from_thread == 0, "a child of another thread");
    same(all, in, expected, "in the parent of children");
  }
  std::printf("children of fork, 5 x 3: %zu stages\n", all.size());
}

/// What a call that must be refused says.
std::string complaint(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("not std::invalid_argument: ") + error.what();
  }
  return "no exception";
}

/// A dense layer with a number that no attention holds at each of some queries.
Layer spoilt(const std::vector<float>& values, LayerKind kind) {
  Layer layer = Layer::view(values.data(), 2, {20, 15});
  layer.kind = kind;
  return layer;
}

struct Refusal {
  const char* name;
  std::function<void()> call;
};

std::vector<Refusal> refusals(const Inputs& in, const std::vector<float>& bad) {
  const Maps<float> maps({20, 15}, [&] {
    Matrix<float> rows = Matrix<float>::Constant(300, 300, 1.0F / 300);
    for (Index row = 77; row < 300; row += 31) rows(row, row) = -1;
    return rows;
  }());
  auto similarities = in.similarities;
  auto proposals = in.proposals;
  auto photo = in.photo;
  Matrix<float> spoilt_rows = in.maps.rows();
  for (Index row = 100; row < spoilt_rows.rows(); row += 13) spoilt_rows(row, 5) = -1;
  similarities.maps = {in.maps.grid(), spoilt_rows};
  proposals.maps = similarities.maps;
  spoilt_rows(100, 5) = std::numeric_limits<float>::quiet_NaN();
  const Maps<float> not_finite(in.maps.grid(), spoilt_rows);
  auto not_finite_proposals = in.proposals;
  not_finite_proposals.maps = not_finite;
  for (Index row = 0; row < proposals.rows.rows(); ++row) proposals.rows(row, 3) = -1;
  for (std::size_t i = 90000; i < photo.values.size(); i += 1009) photo.values[i] = 2;
  Name missing = in.name;
  missing.nouns.push_back({"house", 30, 31});
  const Layer dense = spoilt(bad, LayerKind::probabilities);
  const Layer scores = spoilt(bad, LayerKind::scores);
  Layer partial = dense;
  partial.partial = true;
  Layer products = Layer::queries_and_keys(bad.data(), bad.data(), 2, 8, {20, 15});
  std::vector<Refusal> list;
  for (const Layer& layer : {dense, scores, partial, products}) {
    list.push_back({"Aggregate", [=] { (void)Aggregate{}(Layers{layer}); }});
    list.push_back({"AggregateStream", [=] { AggregateStream<float>({20, 15}).add(layer); }});
    list.push_back({"key_shares", [=] { (void)key_shares(layer); }});
  }
  list.push_back({"top_k", [=] { (void)top_k(dense, 4); }});
  list.push_back({"keep_mass", [=] { (void)keep_mass(dense, 0.5); }});
  list.push_back({"AggregateCross", [=] {
                    Layer layer = Layer::view(bad.data(), 2, {20, 15}, {1, 300});
                    (void)AggregateCross{.size = {9, 9}}(Layers{layer});
                  }});
  list.push_back({"Compare", [=] { (void)Compare{.anchors = {5, 5}}(maps); }});
  list.push_back({"Merge", [=] { (void)Merge{.thresholds = {0.9, 0.9}}(similarities); }});
  list.push_back({"Sweep", [=] { (void)Sweep{{0.9}}(similarities); }});
  list.push_back({"Refine", [=] { (void)Refine{}(not_finite_proposals); }});
  list.push_back(
      {"RefineProjected", [=] { (void)RefineProjected{.components = 4}(not_finite_proposals); }});
  list.push_back({"Assign", [=] { (void)Assign{}(proposals); }});
  list.push_back({"FitBorders", [=, &in] { (void)FitBorders{}(in.labels, photo); }});
  list.push_back({"Affinity", [=] { (void)Affinity{}(photo); }});
  list.push_back({"Name", [=, &in] { (void)missing(in.cross_maps, in.labels); }});
  list.push_back({"segment", [=] { (void)segment(Layers{dense}, SegmentOptions::exact()); }});
  return list;
}

void check_exceptions(const std::vector<Stage>& all, const Inputs& in) {
  const auto expected = alone(all, in);
  std::vector<float> bad(2 * 300 * 300, 0.01F);
  for (std::size_t i = 1111; i < bad.size(); i += 6007) {
    bad[i] = std::numeric_limits<float>::quiet_NaN();
  }
  const auto list = refusals(in, bad);
  for (const Refusal& refusal : list) {
    std::string said;
    {
      const ThreadLimit one(1);
      said = complaint(refusal.call);
    }
    // At most the stage and the rule differ; the first that is wrong is named for any number.
    check(said != "no exception" && said.find("not std::") == std::string::npos,
          std::string(refusal.name) + " must refuse, said: " + said);
    const auto control = detail::float_control() & detail::flush_flags;
    for (const int threads : {2, 3, 5, 8, 16}) {
      for (int round = 0; round < 5; ++round) {
        const ThreadLimit limit(threads);
        const std::string other = complaint(refusal.call);
        check(other == said, std::string(refusal.name) + " says '" + other + "', not '" + said +
                                 "' on " + std::to_string(threads) + " threads");
      }
      check((detail::float_control() & detail::flush_flags) == control,
            std::string(refusal.name) + " leaves the floating point unit changed");
      check(detail::thread_count() == 16, std::string(refusal.name) + " leaves a limit");
    }
    same(all, in, expected, (std::string("after an exception of ") + refusal.name).c_str());
  }
  std::printf("exceptions: %zu of regions, on 1 .. 16 threads\n", list.size());
}

}  // namespace

int main(int count, char** words) {
  const bool given = count == 3 && std::string(words[1]) == "--repeats";
  const int repeats = given ? std::atoi(words[2]) : 100;
  if ((count != 1 && !given) || repeats < 1) {
    std::puts("threads [--repeats N]");
    return 2;
  }
#ifdef _OPENMP
  omp_set_dynamic(0);
#endif
  allow(16);
  const Inputs in(7);
  const auto all = stages();
  check_counts(all, in, repeats);
  check_callers(all, in);
  check_inside_regions(all, in);
  check_children(all, in);
  check_exceptions(all, in);
  std::printf("labels %016llx\n", static_cast<unsigned long long>(all.back().run(in)));
  std::printf("%d differences\n", differences);
  return differences == 0 ? 0 : 1;
}
