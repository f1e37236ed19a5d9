// SPDX-License-Identifier: MIT
#include <opencv2/core.hpp>

#include "expect.hpp"

namespace {

using diffseg::NumberType;
using Place = std::vector<diffseg::Index>;

void check_matrices(foreign::Expect& expect) {
  cv::Mat whole(8, 12, CV_32F);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 12; ++x) whole.at<float>(y, x) = static_cast<float>(100 * y + x);
  }
  const auto region = diffseg::view(whole(cv::Rect(3, 2, 5, 4)));
  expect.that(region.shape == Place{4, 5} && region.strides == Place{12, 1}, "a region's strides");
  expect.that(foreign::holds<float>(region,
                                    [](const Place& at) {
                                      return static_cast<float>(100 * (at[0] + 2) + at[1] + 3);
                                    }),
              "a region's numbers");
  expect.that(region.data == whole.ptr<float>(2) + 3, "a region is not copied");
  expect.that(diffseg::view(whole.col(3)).shape == Place{8, 1}, "a column");
  const cv::Mat_<double> typed(2, 2, 0.5);
  expect.that(diffseg::view(typed).type == NumberType::f64, "a typed matrix");
  expect.that(diffseg::view(cv::Mat(2, 2, CV_16F)).type == NumberType::f16, "half precision");
  const cv::Mat colours(4, 6, CV_32FC3, cv::Scalar(1, 2, 3));
  const auto channels = diffseg::view(colours);
  expect.that(channels.shape == Place{4, 6, 3} && channels.strides == Place{18, 3, 1}, "channels");
  expect.that(foreign::holds<float>(channels,
                                    [](const Place& at) { return static_cast<float>(at[2] + 1); }),
              "the numbers of channels");
}

void check_layers(foreign::Expect& expect) {
  const int extents[] = {2, 9, 16};
  cv::Mat attention(3, extents, CV_32F, cv::Scalar(0.25));
  attention.at<float>(1, 8, 15) = 7;
  const auto layer = diffseg::layer_from(diffseg::view(attention));
  expect.that(layer.heads == 2 && layer.queries.height == 3 && layer.keys.width == 4, "a layer");
  expect.that(
      static_cast<const float*>(layer.data)[layer.head_step() + 8 * layer.query_step() + 15] == 7,
      "the last number of a layer");
  const cv::Range part[] = {cv::Range::all(), cv::Range::all(), cv::Range(0, 9)};
  const auto cut = diffseg::layer_from(diffseg::view(attention(part)));
  expect.that(cut.keys.width == 3 && cut.query_step() == 16 && cut.head_step() == 144, "a part");
  diffseg::Layer kept;
  {
    cv::Mat temporary(3, extents, CV_32F, cv::Scalar(0.5));
    kept = diffseg::layer_from(diffseg::view(std::move(temporary)));
  }
  expect.that(static_cast<const float*>(kept.data)[287] == 0.5F, "a matrix given away lives on");
  expect.refused([&] { return diffseg::layer_from(diffseg::view(cv::Mat(4, 5, CV_32F))); },
                 "got [4, 5]");
  expect.refused([&] { return diffseg::layer_from(diffseg::view(cv::Mat(3, extents, CV_8U))); },
                 "floating point");
}

}  // namespace

int main() {
  foreign::Expect expect;
  check_matrices(expect);
  check_layers(expect);
  return expect.result();
}
