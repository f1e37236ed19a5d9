// SPDX-License-Identifier: MIT
// Stages from proposals to labels, and their names.
#include "arrays.hpp"
#include "module.hpp"
#include "stage.hpp"

namespace binding {

namespace {

using diffseg::Assign;
using diffseg::FitBorders;
using diffseg::Labels;
using diffseg::Name;
using diffseg::Tidy;

void add_assign(nb::module_& module) {
  Stage<Assign> stage(module, "Assign",
                      "Proposals -> labels: up-sampling and arg max in one, nothing stored.");
  stage.option("size", &Assign::size, "Pixels of the result.")
      .option("ids", &Assign::ids,
              "compact: 0 .. K - 1 for those that win somewhere; reference: indices of proposals.")
      .finish();
  stage.type().def(
      "__call__",
      [](const Assign& self, const diffseg::Proposals<float>& proposals,
         SharedWorkspace* workspace) {
        return with_workspace(workspace, [&](diffseg::Workspace& with) {
          Labels labels;
          self(proposals, labels, with);
          return labels;
        });
      },
      nb::arg("proposals"), nb::arg("workspace") = nb::none(),
      nb::sig("def __call__(self, proposals: Proposals, workspace: Workspace | None = None) -> "
              "Labels"));
}

void add_tidy(nb::module_& module) {
  Stage<Tidy> stage(
      module, "Tidy",
      "Labels -> labels: connected regions, small ones absorbed by their longest border; "
      "not part of DiffSeg.");
  stage.option("min_area", &Tidy::min_area, "Least share of the pixels that a region has, 0..1.")
      .option("split", &Tidy::split, "Every 4-connected region becomes a label.")
      .option("max_labels", &Tidy::max_labels, "At most so many labels are left; 0: any number.")
      .finish();
  stage.type().def(
      "__call__",
      [](const Tidy& self, nb::handle object) {
        const Labels labels = labels_of(object);
        return unlocked([&] { return self(labels); });
      },
      nb::arg("labels").none(), nb::sig("def __call__(self, labels: object) -> Labels"));
}

void add_fit_borders(nb::module_& module) {
  Stage<FitBorders> stage(module, "FitBorders",
                          "Labels and their photo -> labels whose borders follow the photo: a "
                          "guided filter of each mask, then the largest; not part of DiffSeg.");
  stage.option("radius", &FitBorders::radius, "Pixels; the window has 2 radius + 1 a side; 1..16.")
      .option("epsilon", &FitBorders::epsilon,
              "Variance of L / 100 that counts as an edge, 1e-6..1.")
      .option("min_area", &FitBorders::min_area,
              "Least share of the pixels that a region must have, 0..1.")
      .finish();
  stage.type().def(
      "__call__",
      [](const FitBorders& self, nb::handle object, nb::handle photo, SharedWorkspace* workspace) {
        const Labels labels = labels_of(object);
        const diffseg::Image<float> image = image_of(photo);
        return with_workspace(workspace, [&](diffseg::Workspace& with) {
          Labels result;
          self(labels, image, result, with);
          return result;
        });
      },
      nb::arg("labels").none(), nb::arg("photo").none(), nb::arg("workspace") = nb::none(),
      nb::sig("def __call__(self, labels: object, photo: object, workspace: Workspace | None = "
              "None) -> Labels"));
}

void add_name(nb::module_& module) {
  Stage<Name> stage(module, "Name", "Cross-attention and labels -> a noun for each label.");
  stage
      .option("nouns", &Name::nouns,
              "(word, first column, column behind its last) of each, counted from the first token.")
      .option("policy", &Name::policy,
              "How the pixels of a label agree; reference_median is what the published code calls "
              "majority.")
      .finish(false);
  stage.type()
      .def(
          "__call__",
          [](const Name& self, const diffseg::CrossMaps<float>& maps, nb::handle object) {
            const Labels labels = labels_of(object);
            return unlocked([&] { return self(maps, labels); });
          },
          nb::arg("maps"), nb::arg("labels").none(),
          nb::sig("def __call__(self, maps: CrossMaps, labels: object) -> Names"))
      .def("tokens", &Name::tokens, "The columns that the nouns need, for AggregateCross.tokens.");
}

}  // namespace

void add_labels(nb::module_& module) {
  add_assign(module);
  add_tidy(module);
  add_fit_borders(module);
  add_name(module);
}

}  // namespace binding
