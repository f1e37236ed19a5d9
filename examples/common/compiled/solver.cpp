// SPDX-License-Identifier: MIT
// Eigen's solver, once.
#include <Eigen/Eigenvalues>

template Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>&
Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>::compute(const Eigen::EigenBase<Eigen::MatrixXd>&,
                                                        int);
