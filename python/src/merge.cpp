// SPDX-License-Identifier: MIT
// Stages from maps to proposals.
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
  stage.option("thresholds", &Merge::thresholds, "Nats, > 0, one per iteration.").finish();
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
