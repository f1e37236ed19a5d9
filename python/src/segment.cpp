// SPDX-License-Identifier: MIT
// All stages in a row.
#include "arrays.hpp"
#include "module.hpp"
#include "stage.hpp"

namespace binding {

namespace {

using diffseg::Labels;
using diffseg::Layers;
using diffseg::SegmentOptions;

/// Storage that serves one image after the other; what it hands out stays as it is.
class SharedSegmentation {
 public:
  Labels run(const Layers& layers, const SegmentOptions& options) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock())
      throw std::invalid_argument("Segmentation: it serves one call at a time; make another one");
    return unlocked([&] {
      diffseg::segment(layers, options, kept_);
      return kept_.labels;
    });
  }

  template <class Part>
  Part get(Part diffseg::Segmentation<float>::*part) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) throw std::invalid_argument("Segmentation: a call is at work with it");
    return kept_.*part;
  }

 private:
  std::mutex mutex_;
  diffseg::Segmentation<float> kept_;
};

void add_options(nb::module_& module) {
  Stage<SegmentOptions> stage(module, "SegmentOptions", "The stages of segment(), as fields.");
  stage.option("aggregate", &SegmentOptions::aggregate, "Layers -> maps.")
      .option("compare", &SegmentOptions::compare,
              "Maps -> similarities; its ceiling becomes the first threshold.")
      .option("merge", &SegmentOptions::merge, "Similarities -> proposals.")
      .option("assign", &SegmentOptions::assign, "Proposals -> labels.")
      .option("memory_budget", &SegmentOptions::memory_budget,
              "Bytes beyond the layers; more is refused before it is allocated; 0: any.")
      .finish(false);
  stage.type()
      .def_static("exact", &SegmentOptions::exact,
                  "DiffSeg as published, also on grids of fewer cells than anchors.")
      .def_static("balanced", &SegmentOptions::balanced,
                  "Maps of half the sides: a quarter of the time, an approximation.")
      .def_static("fast", &SegmentOptions::fast,
                  "Maps of a quarter of the sides: a fourteenth of the time, an approximation.");
}

void add_memory(nb::module_& module) {
  using diffseg::SegmentMemory;
  nb::class_<SegmentMemory>(module, "SegmentMemory",
                            "Bytes that segment() holds at its peak beyond the layers.")
      .def_ro("maps", &SegmentMemory::maps, "[T x T].")
      .def_ro("sums", &SegmentMemory::sums, "Of layers on other grids.")
      .def_ro("anchors", &SegmentMemory::anchors, "Of Compare.")
      .def_ro("matches", &SegmentMemory::matches, "Pairs below the ceiling.")
      .def_ro("proposals", &SegmentMemory::proposals, "Before and after an iteration of Merge.")
      .def_ro("labels", &SegmentMemory::labels, "Of the pixels.")
      .def_ro("scratch", &SegmentMemory::scratch, "Of as many threads as there would be now.")
      .def("total", &SegmentMemory::total, "Bytes of all.");
  module.def(
      "segment_memory",
      [](nb::handle layers, nb::handle options, double match_share) {
        SegmentOptions asked;
        read_optional("segment_memory", "options", options, asked);
        return diffseg::segment_memory(layers_of(layers), asked, match_share);
      },
      nb::arg("layers").none(), nb::arg("options") = nb::none(), nb::arg("match_share") = 0.15,
      nb::sig("def segment_memory(layers: object, options: SegmentOptions | None = None, "
              "match_share: float = 0.15) -> SegmentMemory"),
      "What segment() needs at its peak beyond the layers, told before anything is allocated.");
}

Labels segment(nb::handle objects, nb::handle options, nb::handle aggregate, nb::handle compare,
               nb::handle merge, nb::handle assign, nb::handle memory_budget,
               SharedSegmentation* out) {
  SegmentOptions asked;
  read_optional("segment", "options", options, asked);
  read_optional("segment", "aggregate", aggregate, asked.aggregate);
  read_optional("segment", "compare", compare, asked.compare);
  read_optional("segment", "merge", merge, asked.merge);
  read_optional("segment", "assign", assign, asked.assign);
  read_optional("segment", "memory_budget", memory_budget, asked.memory_budget);
  const Layers layers = layers_of(objects);
  if (out != nullptr) return out->run(layers, asked);
  return unlocked([&] { return diffseg::segment(layers, asked); });
}

void add_segmentation(nb::module_& module) {
  using Kept = diffseg::Segmentation<float>;
  nb::class_<SharedSegmentation>(module, "Segmentation",
                                 "What segment(..., out=) makes on its way. Handed in again, its "
                                 "storage serves the next image; "
                                 "what was taken from it stays as it is.")
      .def(nb::init<>())
      .def_prop_ro(
          "maps", [](SharedSegmentation& self) { return self.get(&Kept::maps); },
          "Of Aggregate; while somebody holds them, the next image gets new ones.")
      .def_prop_ro(
          "similarities", [](SharedSegmentation& self) { return self.get(&Kept::similarities); },
          "Of Compare, copied.")
      .def_prop_ro(
          "proposals", [](SharedSegmentation& self) { return self.get(&Kept::proposals); },
          "Of Merge, copied.")
      .def_prop_ro(
          "labels", [](SharedSegmentation& self) { return self.get(&Kept::labels); },
          "Of Assign, copied.");
}

}  // namespace

void add_segment(nb::module_& module) {
  add_options(module);
  add_memory(module);
  add_segmentation(module);
  module.def(
      "segment", &segment, nb::arg("layers").none(), nb::arg("options") = nb::none(), nb::kw_only(),
      nb::arg("aggregate") = nb::none(), nb::arg("compare") = nb::none(),
      nb::arg("merge") = nb::none(), nb::arg("assign") = nb::none(),
      nb::arg("memory_budget") = nb::none(), nb::arg("out") = nb::none(),
      nb::sig(
          "def segment(layers: object, options: SegmentOptions | None = None, *, aggregate: "
          "Aggregate | None = None, compare: Compare | None = None, merge: Merge | None = None, "
          "assign: Assign | None = None, memory_budget: int | None = None, out: Segmentation | "
          "None = None) -> Labels"),
      "Attention layers (arrays, or Layer) -> labels: Aggregate, Compare, Merge and Assign in a "
      "row. "
      "A stage given by name replaces that of the options.");
}

}  // namespace binding
