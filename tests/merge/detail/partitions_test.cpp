// SPDX-License-Identifier: MIT
#include <cmath>
#include <diffseg/labels/assign.hpp>
#include <diffseg/merge/detail/partitions.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace diffseg;
using namespace diffseg::detail;
using support::Random;

namespace {

/// I(T; Y) by its definition, for maps [T x T].
double plain_information(const Matrix<double>& maps, const Partition& partition) {
  const Eigen::RowVectorXd mean = maps.colwise().mean();
  double information = 0;
  for (std::size_t k = 0; k < partition.sizes.size(); ++k) {
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(maps.cols());
    for (Index cell = 0; cell < maps.rows(); ++cell) {
      if (partition.of_cell[static_cast<std::size_t>(cell)] == static_cast<Index>(k)) {
        sum += maps.row(cell);
      }
    }
    const auto size = static_cast<double>(partition.sizes[k]);
    for (Index i = 0; i < maps.cols(); ++i) {
      information += sum[i] / static_cast<double>(maps.rows()) * std::log(sum[i] / size / mean[i]);
    }
  }
  return information;
}

/// A random division of `cells` into at most `most` segments, none empty.
Partition random_partition(Random& random, Index cells, Index most) {
  Matrix<float> proposals(random.integer(1, most), cells);
  for (float& value : proposals.reshaped()) value = static_cast<float>(random.uniform());
  return partition_cells(proposals);
}

}  // namespace

TEST_CASE("cells go to the first of the largest proposals", "[partitions][unit]") {
  Matrix<float> proposals(4, 3);
  proposals << 1, 5, 2, 0, 1, 1, 1, 6, 3, 1, 6, 2;
  const Partition partition = partition_cells(proposals);
  // Cell 0: 1 0 1 1; cell 1: 5 1 6 6; cell 2: 2 1 3 2. Proposals 1 and 3 win nowhere.
  REQUIRE(partition.of_cell == std::vector<Index>{0, 1, 1});
  REQUIRE(partition.sizes == std::vector<Index>{1, 2});
  REQUIRE(entropy_of(partition) == Approx(std::log(3.0) - 2.0 / 3 * std::log(2.0)));
}

TEST_CASE("cells that lie together everywhere are one atom", "[partitions][unit]") {
  const std::vector<Partition> partitions = {{{0, 0, 1, 1, 0}, {3, 2}}, {{0, 1, 1, 1, 0}, {2, 3}}};
  const Atoms atoms = atoms_of(partitions);
  REQUIRE(atoms.cells == std::vector<Index>{0, 4, 1, 2, 3});
  REQUIRE(atoms.ends == std::vector<Index>{2, 3, 5});
  REQUIRE(atoms.segments == std::vector<std::vector<Index>>{{0, 0, 1}, {0, 1, 1}});
}

TEST_CASE("partitions are those that Assign makes of pixels as large as cells",
          "[partitions][law]") {
  Random random(2201);
  INFO(random.note());
  for (int round = 0; round < 20; ++round) {
    Proposals<float> proposals;
    const GridSize grid = random.grid(1, 12);
    proposals.maps = support::random_maps<float>(random, grid);
    proposals.rows = support::random_rows<float>(random, random.integer(1, 9), grid.cells());
    const Labels labels = Assign{.size = grid}(proposals);
    const Partition partition = partition_cells(proposals.rows);
    REQUIRE(std::equal(labels.values.begin(), labels.values.end(), partition.of_cell.begin(),
                       partition.of_cell.end()));
    REQUIRE(labels.count() == static_cast<Index>(partition.sizes.size()));
  }
}

TEMPLATE_TEST_CASE("information is what its definition says for all partitions at once",
                   "[partitions][law]", float, double) {
  Random random(2202);
  INFO(random.note());
  for (int round = 0; round < 12; ++round) {
    const GridSize grid = round == 0 ? GridSize{20, 31} : random.grid(1, 13);  // 620: three blocks
    const Maps<TestType> maps = support::random_maps<TestType>(random, grid);
    std::vector<Partition> partitions;
    for (int i = 0; i < 5; ++i) partitions.push_back(random_partition(random, grid.cells(), 8));
    Partition all{{}, std::vector<Index>(static_cast<std::size_t>(grid.cells()), 1)};
    for (Index cell = 0; cell < grid.cells(); ++cell) all.of_cell.push_back(cell);
    partitions.push_back(all);
    const Information found = InformationSums<TestType>(maps.rows(), partitions).run();
    const Matrix<double> rows = maps.rows().template cast<double>();
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      REQUIRE(found.segments[i] ==
              Approx(plain_information(rows, partitions[i])).epsilon(1e-4).margin(1e-6));
      REQUIRE(found.segments[i] <= found.cells + 1e-5);  // segments tell no more than cells
    }
    REQUIRE(found.cells == Approx(plain_information(rows, all)).epsilon(1e-4).margin(1e-6));
  }
}
