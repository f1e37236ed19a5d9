// SPDX-License-Identifier: MIT
// Stages from maps to proposals.
#include <diffseg/merge/choose.hpp>
#include <sstream>

#include "module.hpp"
#include "stage.hpp"

namespace binding {

namespace {

using diffseg::Compare;
using diffseg::Merge;
using Maps = diffseg::Maps<float>;
using Similarities = diffseg::Similarities<float>;
using Proposals = diffseg::Proposals<float>;

void add_compare(nb::module_& module) {
  Stage<Compare> stage(module, "Compare",
                       "Maps -> similarities: all divergences below a ceiling; keep them while a "
                       "threshold moves.");
  stage.option("anchors", &Compare::anchors, "Rows and columns of anchors.")
      .option("placement", &Compare::placement, "Where they sit.")
      .option("ceiling", &Compare::ceiling, "Nats, > 0; at least the first threshold of Merge.")
      .option("fit", &Compare::fit, "More anchors than cells on a side: as many as cells.")
      .option("match_limit", &Compare::match_limit, "Most pairs below the ceiling; 0: any number.")
      .finish();
  stage.type().def(
      "__call__",
      [](const Compare& self, const Maps& maps, SharedWorkspace* workspace) {
        return with_workspace(workspace, [&](diffseg::Workspace& with) {
          Similarities similarities;
          self(maps, similarities, with);
          return similarities;
        });
      },
      nb::arg("maps"), nb::arg("workspace") = nb::none(),
      nb::sig(
          "def __call__(self, maps: Maps, workspace: Workspace | None = None) -> Similarities"));
}

void add_merge_stage(nb::module_& module) {
  Stage<Merge> stage(module, "Merge",
                     "Similarities -> proposals: the published greedy merge, one threshold an "
                     "iteration.");
  stage.option("thresholds", &Merge::thresholds, "Nats, > 0, one per iteration.")
      .option("match_limit", &Merge::match_limit,
              "Most pairs below a threshold, in all iterations; 0: any number.")
      .finish();
  stage.type().def(
      "__call__",
      [](const Merge& self, const Similarities& similarities, SharedWorkspace* workspace) {
        return with_workspace(workspace, [&](diffseg::Workspace& with) {
          Proposals proposals;
          self(similarities, proposals, with);
          return proposals;
        });
      },
      nb::arg("similarities"), nb::arg("workspace") = nb::none(),
      nb::sig(
          "def __call__(self, similarities: Similarities, workspace: Workspace | None = None) -> "
          "Proposals"));
}

void add_sweep_point(nb::module_& module) {
  using Point = diffseg::SweepPoint;
  nb::class_<Point>(module, "SweepPoint", "What a threshold gives.")
      .def_ro("threshold", &Point::threshold, "Nats, the same in every iteration of Merge.")
      .def_ro("segments", &Point::segments, "Proposals that are the largest at some cell.")
      .def_ro("information", &Point::information,
              "I(T; Y) / I(X; Y): what the segments still tell of the maps, 0..1.")
      .def_ro("entropy", &Point::entropy, "H(T), nats: how finely the cells are divided.")
      .def_ro("score", &Point::score, "information - lambda * entropy.")
      .def("__repr__", [](const Point& point) {
        std::ostringstream text;
        text << "<threshold " << point.threshold << ": " << point.segments << " segments, score "
             << point.score << '>';
        return text.str();
      });
}

void add_sweep(nb::module_& module) {
  using diffseg::Sweep;
  Stage<Sweep> stage(module, "Sweep",
                     "Similarities -> a SweepPoint for each threshold: segments, and what they "
                     "still tell of the maps. Nothing is compared again.");
  stage.option("thresholds", &Sweep::thresholds, "Nats, > 0, at most the ceiling of Compare.")
      .option("iterations", &Sweep::iterations, "Of Merge, >= 1.")
      .option("lambda_", &Sweep::lambda, ">= 0; what a nat of entropy costs in the score.")
      .finish();
  stage.type().def(
      "__call__",
      [](const Sweep& self, const Similarities& similarities, SharedWorkspace* workspace) {
        return with_workspace(workspace,
                              [&](diffseg::Workspace& with) { return self(similarities, with); });
      },
      nb::arg("similarities"), nb::arg("workspace") = nb::none(),
      nb::sig("def __call__(self, similarities: Similarities, workspace: Workspace | None = None) "
              "-> list[SweepPoint]"));
}

void add_choose(nb::module_& module) {
  using diffseg::Choose;
  Stage<Choose> stage(module, "Choose",
                      "Similarities -> the SweepPoint of the threshold that suits them, or that "
                      "gives so many segments.");
  stage.option("thresholds", &Choose::thresholds, "Candidates, nats; empty: 17 up to the ceiling.")
      .option("segments", &Choose::segments, ">= 1: that number is wanted; 0: the best score is.")
      .option("iterations", &Choose::iterations, "Of Merge, >= 1.")
      .option("lambda_", &Choose::lambda, ">= 0; more means fewer segments.")
      .option("steps", &Choose::steps, "Most thresholds tried for a number of segments, >= 2.")
      .finish();
  stage.type().def(
      "__call__",
      [](const Choose& self, const Similarities& similarities, const nb::object& count) {
        if (count.is_none()) return unlocked([&] { return self(similarities); });
        return unlocked([&] {
          return self(similarities, [&](const Proposals& proposals) {
            const nb::gil_scoped_acquire locked;
            return nb::cast<Index>(count(proposals));
          });
        });
      },
      nb::arg("similarities"), nb::arg("count") = nb::none(),
      nb::sig("def __call__(self, similarities: Similarities, count: "
              "collections.abc.Callable[[Proposals], int] | None = None) -> SweepPoint"));
}

template <class Refinement>
void add_refinement(Stage<Refinement>& stage) {
  stage.option("max_iterations", &Refinement::max_iterations, ">= 1, passes.")
      .option("tolerance", &Refinement::tolerance,
              ">= 0; stops when centres move less, relative to the mean variance.")
      .finish();
  stage.type().def(
      "__call__",
      [](const Refinement& self, const Proposals& proposals) {
        return unlocked([&] { return self(proposals); });
      },
      nb::arg("proposals"), nb::sig("def __call__(self, proposals: Proposals) -> Proposals"));
}

}  // namespace

void add_merge(nb::module_& module) {
  add_compare(module);
  add_merge_stage(module);
  add_sweep_point(module);
  add_sweep(module);
  add_choose(module);
  using diffseg::Refine;
  Stage<Refine> refine(module, "Refine",
                       "Proposals -> proposals: the published KMeans over all maps.");
  add_refinement(refine);
  using diffseg::RefineProjected;
  Stage<RefineProjected> projected(
      module, "RefineProjected",
      "What Refine does, along few principal components: several times faster, an approximation.");
  projected.option("mode", &RefineProjected::mode, "How the scores are clustered.")
      .option("components", &RefineProjected::components, ">= 1, of the scores.")
      .option("batch", &RefineProjected::batch, ">= 1, maps drawn at once by minibatch.")
      .option("seed", &RefineProjected::seed, "Of the first directions and the batches.");
  add_refinement(projected);
}

}  // namespace binding
