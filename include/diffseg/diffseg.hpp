// SPDX-License-Identifier: MIT
// All of diffseg but the opt-in io/ headers.
#pragma once

#include "diffseg/core/cache.hpp"
#include "diffseg/core/check.hpp"
#include "diffseg/core/parallel.hpp"
#include "diffseg/core/pipeline.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/core/types.hpp"
#include "diffseg/evaluate.hpp"
#include "diffseg/math/divergence.hpp"
#include "diffseg/math/matching.hpp"
#include "diffseg/math/region_graph.hpp"
#include "diffseg/math/resample.hpp"
#include "diffseg/math/sampling_grid.hpp"
#include "diffseg/segment.hpp"
#include "diffseg/stages/affinity.hpp"
#include "diffseg/stages/aggregate.hpp"
#include "diffseg/stages/assign.hpp"
#include "diffseg/stages/compare.hpp"
#include "diffseg/stages/downsample.hpp"
#include "diffseg/stages/merge.hpp"
#include "diffseg/stages/tidy.hpp"
