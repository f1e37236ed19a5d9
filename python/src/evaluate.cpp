// SPDX-License-Identifier: MIT
// How good are labels?
#include "arrays.hpp"
#include "module.hpp"

namespace binding {

namespace {

using diffseg::ClassCounts;
using diffseg::Counts;
using diffseg::Labels;
using diffseg::Unmatched;

/// A matrix that numpy owns.
using Table = nb::ndarray<nb::numpy, std::int64_t, nb::ndim<2>, nb::c_contig>;

Table table_of(Counts counts) {
  auto* kept = new Counts(std::move(counts));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<Counts*>(p); });
  const std::array<std::size_t, 2> shape{static_cast<std::size_t>(kept->rows()),
                                         static_cast<std::size_t>(kept->cols())};
  return Table(kept->data(), 2, shape.data(), owner);
}

using GivenTable = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

Counts counts_of(const GivenTable& table) {
  return Eigen::Map<const Counts>(table.data(), static_cast<Index>(table.shape(0)),
                                  static_cast<Index>(table.shape(1)));
}

std::vector<Counts> all_counts(const std::vector<GivenTable>& tables) {
  std::vector<Counts> result;
  for (const GivenTable& table : tables) result.push_back(counts_of(table));
  return result;
}

Unmatched unmatched_of(nb::handle word) {
  Unmatched unmatched{};
  read_or_refuse("evaluate", "unmatched", word, unmatched);
  return unmatched;
}

void add_tables(nb::module_& module) {
  module.def(
      "confusion",
      [](nb::handle predicted, nb::handle truth, Index truths, Index predictions) {
        return table_of(
            diffseg::confusion(labels_of(predicted), labels_of(truth), truths, predictions));
      },
      nb::arg("predicted").none(), nb::arg("truth").none(), nb::arg("truths"),
      nb::arg("predictions"),
      "Pixels of each pair of labels [truths, predictions]; a negative truth counts nowhere.");
  module.def(
      "contingency",
      [](nb::handle predicted, nb::handle truth) {
        return table_of(diffseg::contingency(labels_of(predicted), labels_of(truth)));
      },
      nb::arg("predicted").none(), nb::arg("truth").none(),
      "The same of the labels that occur, [true regions, predicted regions].");
}

void add_classes(nb::module_& module) {
  nb::class_<ClassCounts>(module, "ClassCounts", "Pixels of each class after the matching.")
      .def_ro("true_positives", &ClassCounts::true_positives, "[classes] pixels.")
      .def_ro("false_positives", &ClassCounts::false_positives, "[classes] pixels.")
      .def_ro("false_negatives", &ClassCounts::false_negatives, "[classes] pixels.")
      .def_ro("pixels", &ClassCounts::pixels, "That were annotated.")
      .def("pixel_accuracy", &ClassCounts::pixel_accuracy, "Share in the right class, 0..1.")
      .def("ious", &ClassCounts::ious,
           "[classes] intersection over union, None for a class of nobody.")
      .def("mean_iou", &ClassCounts::mean_iou, "Mean of ious() over the classes that have one.");
  module.def(
      "match_classes",
      [](const GivenTable& counts, nb::handle unmatched) {
        return diffseg::match_classes(counts_of(counts), unmatched_of(unmatched));
      },
      nb::arg("counts"), nb::arg("unmatched") = "ignored",
      "Matches predictions with classes one to one for the most pixels.");
  module.def(
      "per_image",
      [](const std::vector<GivenTable>& photos, nb::handle unmatched) {
        return diffseg::per_image(all_counts(photos), unmatched_of(unmatched));
      },
      nb::arg("photos"), nb::arg("unmatched") = "ignored",
      "One matching per photo, classes added up: the protocol of the published code.");
  module.def(
      "per_dataset",
      [](const std::vector<GivenTable>& photos, nb::handle unmatched) {
        return diffseg::per_dataset(all_counts(photos), unmatched_of(unmatched));
      },
      nb::arg("photos"), nb::arg("unmatched") = "ignored",
      "One matching for all photos: the protocol of PiCIE.");
}

std::vector<Labels> all_labels(nb::handle truths) {
  std::vector<Labels> result;
  if (nb::isinstance<Labels>(truths) || is_array(truths)) return {labels_of(truths)};
  for (const nb::handle truth : nb::iter(truths)) result.push_back(labels_of(truth));
  return result;
}

void add_partitions(nb::module_& module) {
  using diffseg::BoundaryScores;
  using diffseg::PartitionScores;
  nb::class_<PartitionScores>(module, "PartitionScores", "How well one partition explains another.")
      .def_ro("covering", &PartitionScores::covering, "0..1, of the true regions.")
      .def_ro("rand_index", &PartitionScores::rand_index, "0..1, share of agreeing pixel pairs.")
      .def_ro("adjusted_rand_index", &PartitionScores::adjusted_rand_index, "<= 1, 0 for chance.")
      .def_ro("variation_of_information", &PartitionScores::variation_of_information,
              ">= 0, bits.");
  module.def(
      "score",
      [](nb::handle predicted, nb::handle truths) {
        const Labels labels = labels_of(predicted);
        const std::vector<Labels> all = all_labels(truths);
        return unlocked([&] { return diffseg::score(labels, std::span<const Labels>(all)); });
      },
      nb::arg("predicted").none(), nb::arg("truths").none(),
      "A prediction against one truth, or the mean over those of several annotators.");
  nb::class_<BoundaryScores>(module, "BoundaryScores", "How well borders lie on each other, 0..1.")
      .def_ro("precision", &BoundaryScores::precision,
              "Share of predicted border pixels near a true one.")
      .def_ro("recall", &BoundaryScores::recall,
              "Share of true border pixels near a predicted one.")
      .def_ro("f_measure", &BoundaryScores::f_measure, "Their harmonic mean.");
  module.def(
      "score_boundaries",
      [](nb::handle predicted, nb::handle truth, Index radius) {
        const Labels labels = labels_of(predicted);
        const Labels expected = labels_of(truth);
        return unlocked([&] { return diffseg::score_boundaries(labels, expected, radius); });
      },
      nb::arg("predicted").none(), nb::arg("truth").none(), nb::arg("radius") = 2,
      "The border pixels of both within so many pixels of each other.");
}

}  // namespace

void add_evaluate(nb::module_& module) {
  add_tables(module);
  add_classes(module);
  add_partitions(module);
}

}  // namespace binding
