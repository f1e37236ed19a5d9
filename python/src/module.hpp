// SPDX-License-Identifier: MIT
// What each unit adds to the module.
#pragma once

#include <nanobind/nanobind.h>

namespace binding {

void add_layers(nanobind::module_& module);     ///< Layer and its parts
void add_nouns(nanobind::module_& module);      ///< Image, Maps, ..., Labels
void add_attention(nanobind::module_& module);  ///< photos and layers -> maps
void add_merge(nanobind::module_& module);      ///< maps -> proposals
void add_labels(nanobind::module_& module);     ///< proposals -> labels and names
void add_segment(nanobind::module_& module);    ///< all in a row
void add_evaluate(nanobind::module_& module);   ///< scores
void add_process(nanobind::module_& module);    ///< threads, profile, build

}  // namespace binding
