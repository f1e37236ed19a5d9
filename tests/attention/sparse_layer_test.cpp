// SPDX-License-Identifier: MIT
#include <cstdint>
#include <diffseg/attention/layer_parts.hpp>
#include <diffseg/attention/sparse_layer.hpp>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/sparse.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::complaint;
using support::Contains;
using support::starts_of;

namespace {

using Triplet = Eigen::Triplet<float>;

/// Two heads of 1 x 2 cells: [[1, 0], [0.25, 0.75]] and [[0, 1], [0, 0]].
template <class Column = std::int32_t>
SparseRowMatrix<float, Column> small_matrix() {
  SparseRowMatrix<float, Column> matrix(4, 2);
  const std::vector<Eigen::Triplet<float, Column>> entries = {
      {0, 0, 1.0F}, {1, 0, 0.25F}, {1, 1, 0.75F}, {2, 1, 1.0F}};
  matrix.setFromTriplets(entries.begin(), entries.end());
  return matrix;
}

}  // namespace

TEMPLATE_TEST_CASE("a sparse matrix is seen where it lies", "[sparse_layer][unit]", std::int32_t,
                   std::int64_t) {
  const auto matrix = small_matrix<TestType>();
  const Layer layer = sparse_layer(matrix, 2, {1, 2});
  REQUIRE(layer.kind == LayerKind::sparse);
  REQUIRE(layer.type == ElementType::f32);
  REQUIRE(layer.data == matrix.valuePtr());
  REQUIRE(layer.columns == matrix.innerIndexPtr());
  REQUIRE((layer.column_type == Layer::Columns::i64) == (sizeof(TestType) == 8));
  REQUIRE(starts_of(layer) == std::vector<Index>{0, 1, 3, 4, 4});
  REQUIRE(layer.keys == GridSize{1, 2});
  REQUIRE_NOTHROW(layer.check("Stage", 0));
  REQUIRE(layer.bytes() == 4 * (4 + static_cast<Index>(sizeof(TestType))) + 5 * 8);
}

TEST_CASE("a sparse matrix that is given away lives on in its layer", "[sparse_layer][unit]") {
  auto matrix = small_matrix();
  const float* const values = matrix.valuePtr();
  Layer layer = sparse_layer(std::move(matrix), 2, {1, 2});
  REQUIRE(layer.data == values);
  REQUIRE(static_cast<const float*>(layer.data)[2] == 0.75F);
  const std::weak_ptr<const void> watch = layer.owner;
  layer = {};
  REQUIRE(watch.expired());
}

TEST_CASE("a matrix for each head is stacked", "[sparse_layer][unit]") {
  const auto matrix = small_matrix();
  std::vector<SparseRowMatrix<float>> heads = {matrix.topRows(2), matrix.bottomRows(2)};
  for (auto& head : heads) head.makeCompressed();
  const Layer layer = sparse_layer(heads, {1, 2});
  REQUIRE(layer.heads == 2);
  REQUIRE(starts_of(layer) == std::vector<Index>{0, 1, 3, 4, 4});
  const auto* values = static_cast<const float*>(layer.data);
  REQUIRE(std::vector<float>(values, values + 4) == std::vector<float>{1, 0.25F, 0.75F, 1});
  const auto* columns = static_cast<const std::int32_t*>(layer.columns);
  REQUIRE(std::vector<int>(columns, columns + 4) == std::vector<int>{0, 0, 1, 1});
}

TEST_CASE("entries of rows of one length need no starts", "[sparse_layer][unit]") {
  const std::vector<double> values(2 * 4 * 3);
  const std::vector<std::int64_t> keys(values.size());
  const Layer layer = sparse_layer(values.data(), keys.data(), 3, 2, {2, 2});
  REQUIRE(starts_of(layer) == std::vector<Index>{0, 3, 6, 9, 12, 15, 18, 21, 24});
  REQUIRE(layer.type == ElementType::f64);
  REQUIRE(layer.data == values.data());
  REQUIRE(layer.columns == keys.data());
  REQUIRE(layer.column_type == Layer::Columns::i64);
  REQUIRE_NOTHROW(layer.check("Stage", 0));
}

TEST_CASE("heads of sparse layers are selected without a copy", "[sparse_layer][unit]") {
  const auto matrix = small_matrix();
  Layer layer = sparse_layer(matrix, 2, {1, 2});
  layer.head_weights = {1, 3};
  const Layer half = conditional_half(layer);
  REQUIRE(half.heads == 1);
  REQUIRE(half.row_starts == layer.row_starts + 2);
  REQUIRE(half.data == layer.data);
  REQUIRE(half.head_weights == std::vector<double>{3});
  REQUIRE(half.bytes() == 1 * 8 + 3 * 8);
  REQUIRE_NOTHROW(half.check("Stage", 0));
}

TEST_CASE("matrices that are no attention are refused", "[sparse_layer][unit]") {
  const auto matrix = small_matrix();
  REQUIRE(complaint([&] {
            (void)sparse_layer(matrix, 3, {1, 2});
          }) ==
          "sparse_layer: a matrix must be [heads * cells x cells], got 4 x 2 for 3 heads and 1 x 2 "
          "cells");
  REQUIRE_THROWS_AS(sparse_layer(matrix, 4, {1, 1}), std::invalid_argument);
  REQUIRE_THROWS_AS(sparse_layer(matrix, 0, {1, 2}), std::invalid_argument);
  REQUIRE_THROWS_AS(sparse_layer(std::vector{matrix}, {1, 2}), std::invalid_argument);
  auto open = matrix;
  open.uncompress();
  REQUIRE_THAT(complaint([&] { (void)sparse_layer(open, 2, {1, 2}); }), Contains("makeCompressed"));
  const float value = 1;
  const std::int32_t key = 0;
  REQUIRE_THROWS_AS(sparse_layer(&value, &key, 0, 1, {1, 1}), std::invalid_argument);
  REQUIRE_THROWS_AS(sparse_layer(&value, &key, 1, 0, {1, 1}), std::invalid_argument);
}

TEST_CASE("rows that contradict themselves are refused", "[sparse_layer][unit]") {
  const auto matrix = small_matrix();
  const Layer sound = sparse_layer(matrix, 2, {1, 2});
  const auto text = [&](auto change) {
    Layer layer = sound;
    change(layer);
    return complaint([&] { layer.check("Stage", 4); });
  };
  const std::vector<Index> falls = {0, 2, 1, 4, 4}, jumps = {0, 1, 4, 4, 4},
                           early = {-1, 0, 0, 0, 0};
  REQUIRE(text([&](Layer& layer) { layer.row_starts = falls.data(); }) ==
          "Stage: layer 4: row_starts must rise by 0 .. 2 numbers a row, got 2 and 1 at head 0, "
          "query 1");
  REQUIRE_THAT(text([&](Layer& layer) { layer.row_starts = jumps.data(); }),
               Contains("got 1 and 4 at head 0, query 1"));
  REQUIRE_THAT(text([&](Layer& layer) { layer.row_starts = early.data(); }),
               Contains("must be >= 0, got -1"));
  REQUIRE_THAT(text([](Layer& layer) { layer.row_starts = nullptr; }), Contains("not be null"));
  REQUIRE_THAT(text([](Layer& layer) { layer.columns = nullptr; }), Contains("not be null"));
  REQUIRE_THAT(text([](Layer& layer) { layer.data = nullptr; }), Contains("not be null"));
  REQUIRE_THAT(text([](Layer& layer) { layer.row_stride = 2; }), Contains("no strides"));
  REQUIRE_THAT(text([](Layer& layer) { layer.partial = layer.spread_rest = true; }),
               Contains("spread_rest"));
  REQUIRE_THAT(text([](Layer& layer) {
                 layer.spread_rest = true;
                 layer.kind = LayerKind::probabilities;
               }),
               Contains("spread_rest"));
  REQUIRE_THAT(complaint([&] {
                 (void)select_tokens(sound, 0, {1, 1});
               }),
               Contains("must be dense"));
}
