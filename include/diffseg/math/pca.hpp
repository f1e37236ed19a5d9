// SPDX-License-Identifier: MIT
// Principal components of the rows of a matrix.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "diffseg/core/random.hpp"
#include "diffseg/math/detail/centred_rows.hpp"
#include "diffseg/math/detail/column_means.hpp"
#include "diffseg/math/detail/orthonormal.hpp"

namespace diffseg::detail {

enum class PcaMethod {
  automatic,  ///< exact while rows or columns are few, or most components are asked for
  exact,      ///< all eigenvectors of the smaller Gram matrix, in double
  randomized  ///< randomised range finder, far faster for large matrices of few components
};

struct PcaOptions {
  Index components = 32;                    ///< 1 .. the lesser of rows and columns
  PcaMethod method = PcaMethod::automatic;  ///< chosen by size
  Index power_iterations = 4;               ///< >= 0; more, and smaller, blocks of directions
  Index oversampling = 48;                  ///< >= 0; directions tried beyond `components`
  std::uint64_t seed = 0;                   ///< of the first directions
  bool whiten = false;                      ///< transform() to unit variances
  std::vector<Index> sample = {};           ///< rows to fit, 0 .. R - 1; none: all of them
};

/// A mean and k orthonormal directions, by descending variance; the largest entry of each direction
/// is positive, so that results repeat.
template <class Scalar = float>
struct Pca {
  Matrix<Scalar> mean;                       ///< [1 x n]
  Matrix<Scalar> components;                 ///< [k x n]
  Eigen::VectorXd explained_variance;        ///< [k] of the rows along each, over R - 1
  Eigen::VectorXd explained_variance_ratio;  ///< [k] of the variance of all columns; 0 if that is 0
  bool whiten = false;                       ///< transform() divides by the standard deviations

  /// rows [R x n] -> scores [R x k].
  [[nodiscard]] Matrix<Scalar> transform(const Matrix<Scalar>& rows) const;
  /// scores [R x k] -> rows [R x n] in the plane of the components.
  [[nodiscard]] Matrix<Scalar> inverse(const Matrix<Scalar>& scores) const;

  /// What transform() multiplies by, [k]; 0 for a direction without variance.
  [[nodiscard]] Eigen::RowVectorXd scale() const {
    if (!whiten) return Eigen::RowVectorXd::Ones(explained_variance.size());
    return (explained_variance.array() > 0)
        .select(explained_variance.array().rsqrt(), 0)
        .matrix()
        .transpose();
  }
};

/// The leading directions of rows.
template <class Scalar>
struct Directions {
  Matrix<Scalar> rows;     ///< [k x n]
  Matrix<Scalar> scores;   ///< [R x k] the rows along them, or empty
  Eigen::VectorXd values;  ///< [k] eigenvalues of X^T X
  double squares = 0;      ///< the sum of all of them
};

/// All of them but the scores, exact up to double.
template <class Scalar>
Directions<Scalar> exact_directions(const CentredRows<Scalar>& rows, Index k) {
  const Matrix<double> x = rows.dense();
  const Matrix<double> turned = transposed(x);
  const bool of_columns = x.cols() <= x.rows();
  const Spectrum<double> spectrum =
      spectrum_of(of_columns ? product(turned, x) : product(x, turned));
  Matrix<double> directions = spectrum.vectors.topRows(k);
  if (!of_columns) directions = product(directions, x);
  orthonormalise_rows(directions);
  return {directions.template cast<Scalar>(), {}, spectrum.values.head(k), x.squaredNorm()};
}

/// The same from a block Krylov space (Musco and Musco, NeurIPS 2015): random directions times
/// X^T X, and what further products with X^T X add to them, one block each.
template <class Scalar>
class RandomDirections {
 public:
  RandomDirections(const CentredRows<Scalar>& rows, Index count, Index width,
                   const PcaOptions& options)
      : rows_(rows), options_(options) {
    const Index most = std::min({options.components + options.oversampling, count, width});
    block_ = (most + options.power_iterations) / (options.power_iterations + 1);
    block_ = std::min((block_ + 3) / 4 * 4, most);
    basis_.resize(most, width);
    scores_.resize(count, most);
  }

  /// Directions [components x n], their eigenvalues and the rows' scores.
  Directions<Scalar> find() {
    span();
    Directions<Scalar> found;
    const Matrix<double> scores = scores_.template cast<double>();
    const Spectrum<double> spectrum = spectrum_of(product(transposed(scores), scores));
    const Matrix<Scalar> turn =
        spectrum.vectors.topRows(options_.components).template cast<Scalar>();
    found.rows = product(turn, basis_);
    found.scores = product(scores_, transposed(turn));
    found.values = spectrum.values.head(options_.components);
    found.squares = squares_;
    return found;
  }

 private:
  /// Fills the basis and the scores along it.
  void span() {
    RandomNumbers random(options_.seed);
    Matrix<Scalar> next(block_, basis_.cols());
    for (Index i = 0; i < next.size(); ++i) {
      next.data()[i] = static_cast<Scalar>(2 * random.uniform() - 1);
    }
    auto gram = rows_.gram_times(next);
    squares_ = gram.squares;
    for (Index done = 0; done < basis_.rows();) {
      const Matrix<Scalar> added = gram.products.topRows(std::min(block_, basis_.rows() - done));
      const Matrix<Scalar> found = orthonormalised<Scalar>(basis_.topRows(done), added);
      basis_.middleRows(done, found.rows()) = found;
      const bool last = done + found.rows() == basis_.rows();
      if (!last) gram = rows_.gram_times(found);
      scores_.middleCols(done, found.rows()) = last ? rows_.times(found) : gram.scores;
      done += found.rows();
    }
  }

  const CentredRows<Scalar>& rows_;
  PcaOptions options_;
  Index block_ = 0;
  Matrix<Scalar> basis_;   // [directions x n]
  Matrix<Scalar> scores_;  // [R x directions]
  double squares_ = 0;
};

/// Throws for options out of range; returns the most components.
inline Index check_pca(Index rows, Index count, Index width, const PcaOptions& options) {
  const Index most = std::min(count, width);
  require(options.components >= 1 && options.components <= most,
          "PCA: components must be 1 .. the lesser of rows and columns ", most, ", got ",
          options.components);
  require(options.power_iterations >= 0 && options.oversampling >= 0,
          "PCA: power_iterations and oversampling must be >= 0, got ", options.power_iterations,
          " and ", options.oversampling);
  for (const Index row : options.sample) {
    require(row >= 0 && row < rows, "PCA: sample must hold rows 0 .. ", rows - 1, ", got ", row);
  }
  return most;
}

/// Turns each direction so that its largest entry is positive.
template <class Scalar>
void fix_signs(Directions<Scalar>& directions) {
  for (Index k = 0; k < directions.rows.rows(); ++k) {
    Index largest = 0;
    directions.rows.row(k).cwiseAbs().maxCoeff(&largest);
    if (directions.rows(k, largest) >= 0) continue;
    directions.rows.row(k) *= Scalar(-1);
    if (directions.scores.size() > 0) directions.scores.col(k) *= Scalar(-1);
  }
}

/// rows [R x n] -> their principal components, and the scores [R x k] of the rows fitted, without
/// whitening. Errors: std::invalid_argument for components outside 1 .. min(R, n), R being the rows
/// fitted, other options out of range, rows that are not finite.
template <class Scalar>
[[nodiscard]] Pca<Scalar> fit_pca(const Matrix<Scalar>& rows, const PcaOptions& options,
                                  Matrix<Scalar>& scores) {
  const Index count =
      options.sample.empty() ? rows.rows() : static_cast<Index>(options.sample.size());
  const Index most = check_pca(rows.rows(), count, rows.cols(), options);
  Pca<Scalar> pca;
  pca.whiten = options.whiten;
  pca.mean = column_means(rows, "PCA", options.sample).transpose().template cast<Scalar>();
  const CentredRows<Scalar> centred(rows, pca.mean, options.sample);
  const bool is_small = most <= 512 || 2 * (options.components + options.oversampling) >= most;
  const bool exact =
      options.method == PcaMethod::exact || (options.method == PcaMethod::automatic && is_small);
  auto found = exact ? exact_directions(centred, options.components)
                     : RandomDirections<Scalar>(centred, count, rows.cols(), options).find();
  // A basis of less than full rank has rows without length.
  constexpr double negligible = 1e-10;
  if (!exact && found.values.minCoeff() <= negligible * found.values.maxCoeff()) {
    Matrix<double> complete = found.rows.template cast<double>();
    orthonormalise_rows(complete);
    found.rows = complete.template cast<Scalar>();
  }
  fix_signs(found);
  pca.components = std::move(found.rows);
  pca.explained_variance = found.values / static_cast<double>(std::max<Index>(1, count - 1));
  pca.explained_variance_ratio =
      found.squares > 0 ? Eigen::VectorXd(found.values / found.squares) : 0 * found.values;
  scores = exact ? centred.times(pca.components) : std::move(found.scores);
  return pca;
}

template <class Scalar>
[[nodiscard]] Pca<Scalar> fit_pca(const Matrix<Scalar>& rows, const PcaOptions& options = {}) {
  Matrix<Scalar> scores;
  return fit_pca(rows, options, scores);
}

template <class Scalar>
Matrix<Scalar> Pca<Scalar>::transform(const Matrix<Scalar>& rows) const {
  require(rows.cols() == components.cols(), "PCA: rows must have the width fitted ",
          components.cols(), ", got ", rows.cols());
  Matrix<Scalar> scores = CentredRows<Scalar>(rows, mean).times(components);
  scores.array().rowwise() *= scale().template cast<Scalar>().array();
  return scores;
}

template <class Scalar>
Matrix<Scalar> Pca<Scalar>::inverse(const Matrix<Scalar>& scores) const {
  require(scores.cols() == components.rows(), "PCA: scores must have as many columns as there are ",
          "components ", components.rows(), ", got ", scores.cols());
  Eigen::RowVectorXd deviations = scale();
  for (double& value : deviations) value = value > 0 ? 1 / value : 0;
  const Matrix<Scalar> planes =
      components.array().colwise() * deviations.transpose().template cast<Scalar>().array();
  Matrix<Scalar> rows = product(scores, planes);
  rows.rowwise() += mean.row(0);
  return rows;
}

}  // namespace diffseg::detail
