// SPDX-License-Identifier: MIT
// What a .npy file says about its numbers. Every size that it declares is checked against the bytes
// that are there before memory is taken for it.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <diffseg/core/types.hpp>
#include <diffseg/io/detail/file_bytes.hpp>

namespace diffseg::detail {

/// What a .npy file says about its numbers.
struct NpyHeader {
  std::string descr;  ///< byte order, kind, bytes an item, as in "<f4"
  bool fortran_order = false;
  std::vector<Index> shape;
  std::size_t begin = 0;  ///< of the numbers in the file
  std::size_t bytes = 0;  ///< of all numbers
  std::size_t item = 0;   ///< bytes of one
};

/// Reads a header's text, a Python dictionary with the keys descr, fortran_order and shape.
class NpyHeaderParser {
 public:
  NpyHeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  NpyHeader parse() {
    expect('{');
    while (!accept('}')) {
      read_entry();
      if (!accept(',') && !peek('}')) check(false, "',' or '}'");
    }
    skip_space();
    check(at_ == text_.size(), "the end");
    check(seen_ == 7, "the keys descr, fortran_order and shape");
    return header_;
  }

 private:
  void read_entry() {
    const std::string_view key = quoted();
    const int bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 8;
    check(bit < 8 && (seen_ & bit) == 0, "one each of descr, fortran_order and shape");
    seen_ |= bit;
    expect(':');
    if (bit == 4) return read_shape();
    if (bit == 2) {
      header_.fortran_order = accept('T', "rue");
      return check(header_.fortran_order || accept('F', "alse"), "True or False");
    }
    require_io<type_error>(
        !peek('[') && !peek('('), name_,
        "descr: items of several fields are not read; save one field as its own array");
    header_.descr = quoted();
  }

  void read_shape() {
    expect('(');
    while (!accept(')')) {
      check(header_.shape.size() < 64, "at most 64 extents, numpy's limit");
      header_.shape.push_back(extent());
      // Python's (3) is a number, (3,) a shape.
      if (!accept(',') && (!peek(')') || header_.shape.size() == 1)) check(false, "','");
    }
  }

  Index extent() {
    skip_space();
    Index value = -1;
    const char* const first = text_.data() + at_;
    const auto [last, error] = std::from_chars(first, text_.data() + text_.size(), value);
    require_io(error != std::errc::result_out_of_range, name_,
               "shape: an extent is larger than any array; save the array again");
    check(error == std::errc{} && value >= 0, "an extent >= 0");
    at_ += static_cast<std::size_t>(last - first);
    accept('L');  // Python 2 wrote long integers so
    return value;
  }

  std::string_view quoted() {
    check(peek('\'') || peek('"'), "a quoted word");
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    check(end != std::string_view::npos, "a closing quote");
    const std::size_t begin = std::exchange(at_, end + 1) + 1;
    return text_.substr(begin, end - begin);
  }

  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  bool peek(char wanted) {
    skip_space();
    return at_ < text_.size() && text_[at_] == wanted;
  }
  bool accept(char wanted, std::string_view rest = "") {
    if (!peek(wanted) || !text_.substr(at_ + 1).starts_with(rest)) return false;
    at_ += 1 + rest.size();
    return true;
  }
  void expect(char wanted) { check(accept(wanted), wanted); }
  template <class Wanted>
  void check(bool condition, const Wanted& wanted) {
    require_io(condition, name_, "header: cannot be read, expected ", wanted, " at character ", at_,
               "; save the array again with numpy.save");
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  int seen_ = 0;
  NpyHeader header_;
};

/// Bytes of a file that are looked at before its size is believed; headers of plain arrays have
/// about 100.
inline constexpr std::size_t npy_header_limit = 65536;

/// The header's text within a file that starts with `front`.
inline std::string_view npy_header_text(std::string_view front, const std::string& name) {
  refuse_placeholder(front, name);
  require_io(!front.starts_with("PK\x03\x04"), name,
             "magic: is a zip archive (.npz); read it with NpzFile of io/npz.hpp");
  require_io(front.starts_with("\x93NUMPY"), name,
             "magic: is not a .npy file; save the array with numpy.save");
  require_io(front.size() >= 12, name, "header: is cut off; copy the file again");
  const auto byte = [&](std::size_t at) {
    return std::size_t{static_cast<unsigned char>(front[at])};
  };
  require_io(byte(6) >= 1 && byte(6) <= 3 && byte(7) == 0, name,
             "version: must be 1.0, 2.0 or 3.0, got ", byte(6), '.', byte(7),
             "; save the array again with numpy.save");
  std::size_t length = byte(8) | byte(9) << 8;
  if (byte(6) > 1) length |= byte(10) << 16 | byte(11) << 24;
  const std::size_t begin = byte(6) > 1 ? 12 : 10;
  require_io(length <= npy_header_limit - begin, name, "header: declares ", length,
             " bytes, no array of numbers needs so many; save the array again");
  require_io(length <= front.size() - begin, name, "header: is cut off; copy the file again");
  return front.substr(begin, length);
}

inline std::size_t npy_item_bytes(const std::string& descr, const std::string& name) {
  require_io<type_error>(descr.find('O') == std::string::npos, name,
                         "descr: Python objects are never read; save an array of numbers");
  constexpr std::array<std::string_view, 12> known{"b1", "i1", "i2", "i4", "i8", "u1",
                                                   "u2", "u4", "u8", "f2", "f4", "f8"};
  const std::string_view type =
      std::string_view(descr).substr(std::min<std::size_t>(1, descr.size()));
  const bool order = descr.starts_with('<') || descr.starts_with('>') || descr.starts_with('=');
  require_io<type_error>(std::find(known.begin(), known.end(), type) != known.end() &&
                             (order || (descr[0] == '|' && type[1] == '1')),
                         name,
                         "descr: must be b1, i1..i8, u1..u8, f2, f4 or f8 with a byte order, got '",
                         descr.substr(0, 16), "'; convert the array with astype");
  return static_cast<std::size_t>(type[1] - '0');
}

/// The header of a file of `size` bytes that starts with `front`; every claim holds.
inline NpyHeader read_npy_header(std::string_view front, std::uintmax_t size,
                                 const std::string& name) {
  const std::string_view text = npy_header_text(front, name);
  NpyHeader header = NpyHeaderParser(text, name).parse();
  header.begin = static_cast<std::size_t>(text.data() - front.data()) + text.size();
  header.item = header.bytes = npy_item_bytes(header.descr, name);
  for (const Index extent : header.shape) {
    const auto factor = static_cast<std::size_t>(extent);
    constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<Index>::max());
    require_io(factor == 0 || header.bytes <= limit / factor, name,
               "shape: declares more numbers than any memory holds; save the array again");
    header.bytes *= factor;
  }
  const std::uintmax_t held = size - header.begin;
  require_io(held >= header.bytes, name, "payload: is cut off, ", held, " of ", header.bytes,
             " bytes are there; copy the file again");
  require_io(held == header.bytes, name, "payload: ", held - header.bytes,
             " bytes follow the array; save one array a file");
  return header;
}

}  // namespace diffseg::detail
