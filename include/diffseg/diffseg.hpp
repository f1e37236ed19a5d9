// SPDX-License-Identifier: MIT
// From a photo or from attention to masks. Beside it, to be included by who wants them:
// attention/layer_parts.hpp, models.hpp, sinks.hpp, sparse_layer.hpp and top_k.hpp,
// merge/refine_projected.hpp, labels/evaluate.hpp, and io/ for files and other libraries' tensors.
#pragma once

#include "diffseg/attention/aggregate_cross.hpp"
#include "diffseg/attention/aggregate_stream.hpp"
#include "diffseg/attention/downsample.hpp"
#include "diffseg/labels/fit_borders.hpp"
#include "diffseg/labels/name.hpp"
#include "diffseg/labels/tidy.hpp"
#include "diffseg/merge/choose.hpp"
#include "diffseg/merge/refine.hpp"
#include "diffseg/photo/affinity.hpp"
#include "diffseg/photo/downsample.hpp"
#include "diffseg/segment.hpp"

/// From the self-attention of a model to segmentation masks.
namespace diffseg {}
