// SPDX-License-Identifier: MIT
#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

#include "text.hpp"

namespace cli {

namespace {

/// stderr is a terminal that can take a line back, and its user likes that.
bool terminal_can() {
  const char* const kind = std::getenv("TERM");
  const char* const plain = std::getenv("NO_COLOR");
  const bool able = kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb";
  return able && (plain == nullptr || *plain == '\0') && ::isatty(STDERR_FILENO) != 0;
}

std::size_t terminal_columns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::string duration(double seconds) {
  const long long whole = std::llround(seconds);
  if (whole < 60) return message(whole, " s");
  if (whole < 3600) return message(whole / 60, " min ", whole % 60, " s");
  return message(whole / 3600, " h ", whole / 60 % 60, " min");
}

std::string rate(double photos_a_second) {
  std::array<char, 32> text{};
  (void)std::snprintf(text.data(), text.size(), photos_a_second < 10 ? "%.1f" : "%.0f",
                      photos_a_second);
  return text.data();
}

std::string bar(std::size_t over, std::size_t photos, std::size_t width) {
  const std::size_t filled = photos == 0 ? width : width * over / photos;
  std::string text(filled, '=');
  if (filled < width) text += '>';
  text.resize(width, ' ');
  return '[' + text + "] ";
}

}  // namespace

std::string progress_line(const Counts& counts, double seconds, std::size_t columns) {
  const std::size_t over = counts.photos - counts.left();
  const std::size_t worked = counts.done + counts.failed;
  std::string text = message(over, '/', counts.photos);
  if (worked > 0 && seconds > 0) {
    const double speed = static_cast<double>(worked) / seconds;
    text += message(", ", rate(speed), " photos/s, ",
                    duration(static_cast<double>(counts.left()) / speed), " left");
  }
  if (counts.failed > 0) text += message(", ", counts.failed, " failed");
  constexpr std::size_t frame = 3;
  constexpr std::size_t widest = 30;
  if (columns >= text.size() + frame + 5) {
    const std::size_t width = std::min(widest, columns - text.size() - frame);
    text.insert(0, bar(over, counts.photos, width));
  }
  return text.substr(0, columns);
}

ProgressBar::ProgressBar(bool wanted) : wanted_(wanted && terminal_can()) {}

void ProgressBar::clear() {
  if (!std::exchange(shown_, false)) return;
  std::cerr << "\r\x1b[K" << std::flush;
}

void ProgressBar::show(const Counts& counts) {
  const auto now = Clock::now();
  if (!wanted_ || (shown_ && now - last_ < std::chrono::milliseconds(100))) return;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  last_ = now;
  shown_ = true;
  std::cerr << '\r' << progress_line(counts, seconds, terminal_columns() - 1) << "\x1b[K"
            << std::flush;
}

}  // namespace cli
