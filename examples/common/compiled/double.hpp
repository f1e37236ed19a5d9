// SPDX-License-Identifier: MIT
// The same for double: the library diffseg_double.
#pragma once

#include "float.hpp"

#define DIFFSEG_TEMPLATE extern template
#define DIFFSEG_SCALAR double
#include "attention.inc"
#include "labels.inc"
#include "merge.inc"
#include "refine.inc"
#undef DIFFSEG_SCALAR
#undef DIFFSEG_TEMPLATE
