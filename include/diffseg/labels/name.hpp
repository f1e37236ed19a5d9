// SPDX-License-Identifier: MIT
// Name: CrossMaps and Labels -> Names.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "diffseg/core/parallel.hpp"
#include "diffseg/core/profile.hpp"
#include "diffseg/data/cross_maps.hpp"
#include "diffseg/data/labels.hpp"

namespace diffseg {

/// What Name found.
struct Names {
  /// Labels that share a word.
  struct Group {
    std::string word;                  ///< as the nouns have it
    std::vector<std::int32_t> labels;  ///< ascending
  };
  std::vector<Index> nouns;   ///< [label] index into Name::nouns, -1: none
  std::vector<Group> groups;  ///< in the order of the nouns, none empty
};

/// Labels and the cross-attention of their photo -> a noun for each label. A noun's map is the sum
/// of its columns (their mean would give the same), divided by its root of summed squares over all
/// pixels; a map of zeros stays zero. A label without pixels gets no noun, nor does one on whose
/// pixels all nouns are zero (but reference_median then takes the first, as published). No noun, no
/// label: an empty result. Errors: std::invalid_argument for sizes that differ, labels outside
/// 0 .. count() - 1, empty ranges, columns that the maps lack.
struct Name {
  /// A word of the prompt and its token columns [begin, end), counted from the first token (often a
  /// start mark), end > begin >= 0. A word that was split into tokens has several.
  struct Noun {
    std::string word;  ///< labels of equal words make a group
    Index begin = 0;   ///< its first column
    Index end = 0;     ///< behind its last
  };

  /// How the pixels of a label agree on a noun. Of equals the first noun wins.
  enum class Policy {
    majority,         ///< every pixel votes for its largest noun
    mean,             ///< the noun with the largest mean over the label's pixels
    reference_median  ///< the median of the pixels' noun indices, rounded down: what the published
                      ///< code does under the name "majority"
  };

  std::vector<Noun> nouns = {};      ///< to choose from
  Policy policy = Policy::majority;  ///< how pixels agree

  /// The columns that the nouns need, for AggregateCross::tokens; ascending.
  [[nodiscard]] std::vector<Index> tokens() const {
    std::vector<Index> result;
    for (const Noun& noun : nouns) {
      for (Index token = noun.begin; token < noun.end; ++token) result.push_back(token);
    }
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
  }

  /// The stage Labels -> Names for the photo of `maps`, to end a chain.
  template <class Scalar>
  [[nodiscard]] auto with(CrossMaps<Scalar> maps) const {
    return Bound<Scalar>{*this, std::move(maps)};
  }

  /// A noun for each label.
  template <class Scalar>
  [[nodiscard]] Names operator()(const CrossMaps<Scalar>& maps, const Labels& labels) const {
    Names names;
    (*this)(maps, labels, names);
    return names;
  }

  /// The same into `names`. After an exception they are empty.
  template <class Scalar>
  void operator()(const CrossMaps<Scalar>& maps, const Labels& labels, Names& names) const;

  /// A stage of its own: this one with the maps of a photo.
  template <class Scalar>
  struct Bound;

 private:
  template <class Scalar>
  void check(const CrossMaps<Scalar>& maps, const Labels& labels) const {
    detail::require(maps.size == labels.size, "Name: maps and labels must have one size, got ",
                    maps.size.height, " x ", maps.size.width, " and ", labels.size.height, " x ",
                    labels.size.width);
    maps.check("Name");
    labels.check("Name");
    for (const Noun& noun : nouns) {
      detail::require(noun.begin >= 0 && noun.end > noun.begin, "Name: the columns of '", noun.word,
                      "' must be a range [begin, end) with end > begin >= 0, got [", noun.begin,
                      ", ", noun.end, ")");
    }
  }

  /// [nouns x pixels], every row of norm 1 or zero.
  template <class Scalar>
  [[nodiscard]] Matrix<Scalar> noun_planes(const CrossMaps<Scalar>& maps) const {
    Matrix<Scalar> planes(static_cast<Index>(nouns.size()), maps.size.cells());
    detail::parallel_for(planes.rows(), [&](Index i) {
      const Noun& noun = nouns[static_cast<std::size_t>(i)];
      auto plane = planes.row(i);
      plane.setZero();
      for (Index token = noun.begin; token < noun.end; ++token) {
        const auto found = std::lower_bound(maps.tokens.begin(), maps.tokens.end(), token);
        detail::require(found != maps.tokens.end() && *found == token,
                        "Name: the maps must hold the columns of '", noun.word, "', column ", token,
                        " is missing");
        plane += maps.values.row(found - maps.tokens.begin());
      }
      double squares = 0;
      for (Index pixel = 0; pixel < plane.size(); ++pixel) {
        squares += static_cast<double>(plane[pixel]) * static_cast<double>(plane[pixel]);
      }
      if (squares > 0) plane *= static_cast<Scalar>(1 / std::sqrt(squares));
    });
    return planes;
  }

  template <class Scalar>
  static void by_mean(const Matrix<Scalar>& planes, const Labels& labels,
                      std::vector<Index>& names) {
    // Sums do: all nouns of a label are divided by the same number of pixels.
    Matrix<double> sums = Matrix<double>::Zero(planes.rows(), labels.count());
    detail::parallel_for(planes.rows(), [&](Index noun) {
      for (Index pixel = 0; pixel < planes.cols(); ++pixel) {
        sums(noun, labels.values[static_cast<std::size_t>(pixel)]) +=
            static_cast<double>(planes(noun, pixel));
      }
    });
    for (Index label = 0; label < labels.count(); ++label) {
      Index best = 0;
      if (sums.col(label).maxCoeff(&best) > 0) names[static_cast<std::size_t>(label)] = best;
    }
  }

  template <class Scalar>
  void by_pixels(const Matrix<Scalar>& planes, const Labels& labels,
                 std::vector<Index>& names) const {
    Matrix<std::int64_t> votes = Matrix<std::int64_t>::Zero(labels.count(), planes.rows());
    const bool abstain = policy == Policy::majority;
    for (Index pixel = 0; pixel < planes.cols(); ++pixel) {
      Index best = 0;
      for (Index noun = 1; noun < planes.rows(); ++noun) {
        if (planes(noun, pixel) > planes(best, pixel)) best = noun;
      }
      if (abstain && planes(best, pixel) <= Scalar(0)) continue;
      ++votes(labels.values[static_cast<std::size_t>(pixel)], best);
    }
    for (Index label = 0; label < labels.count(); ++label) {
      const auto own = votes.row(label);
      Index best = 0;
      if (own.maxCoeff(&best) == 0) continue;
      names[static_cast<std::size_t>(label)] = abstain ? best : median(own);
    }
  }

  /// The median of noun indices that occur votes[i] times: the mean of the two in the middle for an
  /// even number, rounded down.
  template <class Votes>
  static Index median(const Votes& votes) {
    const auto at = [&](std::int64_t rank) {
      Index noun = 0;
      while (rank >= votes[noun]) rank -= votes[noun++];
      return noun;
    };
    const std::int64_t count = votes.sum();
    return (at((count - 1) / 2) + at(count / 2)) / 2;
  }

  /// Groups the labels by word; nouns may share one.
  void group(Names& names) const {
    names.groups.clear();
    for (const Noun& noun : nouns) {
      const auto same = [&](const auto& other) { return other.word == noun.word; };
      if (std::any_of(names.groups.begin(), names.groups.end(), same)) continue;
      Names::Group group{noun.word, {}};
      for (std::size_t label = 0; label < names.nouns.size(); ++label) {
        const Index own = names.nouns[label];
        if (own < 0 || !same(nouns[static_cast<std::size_t>(own)])) continue;
        group.labels.push_back(static_cast<std::int32_t>(label));
      }
      if (!group.labels.empty()) names.groups.push_back(std::move(group));
    }
  }
};

template <class Scalar>
struct Name::Bound {
  using Stage = void;  ///< it may begin or follow a chain

  Name name;               ///< the stage
  CrossMaps<Scalar> maps;  ///< of the photo

  /// A noun for each label.
  [[nodiscard]] Names operator()(const Labels& labels) const { return name(maps, labels); }
};

template <class Scalar>
void Name::operator()(const CrossMaps<Scalar>& maps, const Labels& labels, Names& names) const {
  names = {};
  check(maps, labels);
  const detail::ProfileScope scope("Name");
  Names result;
  result.nouns.assign(static_cast<std::size_t>(labels.count()), -1);
  if (!nouns.empty()) {
    const Matrix<Scalar> planes = noun_planes(maps);
    if (policy == Policy::mean) by_mean(planes, labels, result.nouns);
    if (policy != Policy::mean) by_pixels(planes, labels, result.nouns);
  }
  group(result);
  names = std::move(result);
}

}  // namespace diffseg
