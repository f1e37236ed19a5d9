// SPDX-License-Identifier: MIT
// All of diffseg, whose stages are not compiled here again for float: the library diffseg_float has
// them. For the programs and tests of this project, which would wait for it in every unit.
#pragma once

#include <diffseg/diffseg.hpp>
#include <diffseg/merge/refine_projected.hpp>

extern template Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>&
Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>::compute(const Eigen::EigenBase<Eigen::MatrixXd>&,
                                                        int);

#define DIFFSEG_TEMPLATE extern template
#define DIFFSEG_SCALAR float
#include "attention.inc"
#include "labels.inc"
#include "merge.inc"
#include "refine.inc"
#undef DIFFSEG_SCALAR
#undef DIFFSEG_TEMPLATE
