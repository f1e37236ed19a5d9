// SPDX-License-Identifier: MIT
#include "module.hpp"

#include "stage.hpp"

// Nouns first: signatures tell their names.
NB_MODULE(DIFFSEG_MODULE, module) {
  nanobind::set_leak_warnings(false);  // a view that lives at the end of the interpreter is no leak
  module.doc() = "From the self-attention of a model to segmentation masks.";
  using binding::Pipeline;
  nanobind::class_<Pipeline> pipeline(
      module, "Pipeline", "Two callables as one: `second(first(x))`; made by `|`, itself a stage.");
  pipeline.def_ro("first", &Pipeline::first, "The one that is called first.")
      .def_ro("second", &Pipeline::second, "The one that is called with what the first returns.")
      .def(
          "__call__",
          [](const Pipeline& self, nanobind::object input) {
            return self.second(self.first(std::move(input)));
          },
          nanobind::sig("def __call__(self, input: typing.Any) -> typing.Any"),
          "Calls both, in a row.");
  binding::add_pipe(pipeline);
  binding::add_process(module);
  binding::add_layers(module);
  binding::add_nouns(module);
  binding::add_attention(module);
  binding::add_merge(module);
  binding::add_labels(module);
  binding::add_segment(module);
  binding::add_evaluate(module);
}
