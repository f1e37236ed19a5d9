// SPDX-License-Identifier: MIT
// Words out of parts.
#pragma once

#include <sstream>
#include <string>

namespace cli {

/// A stream into a text that throws where memory runs out; a plain one leaves out what it cannot
/// hold, in silence.
class TextStream : public std::ostringstream {
 public:
  TextStream() { exceptions(std::ios::badbit); }
};

/// The parts, written one after the other.
template <class... Parts>
[[nodiscard]] std::string message(const Parts&... parts) {
  TextStream text;
  text.precision(9);
  (text << ... << parts);
  return text.str();
}

/// `text` without control characters: what a file or its name says must neither cut a message nor
/// drive a terminal.
[[nodiscard]] inline std::string plain(std::string text) {
  for (char& letter : text) {
    if (static_cast<unsigned char>(letter) < 32 || letter == 127) letter = '?';
  }
  return text;
}

}  // namespace cli
