// SPDX-License-Identifier: MIT
// What a safetensors file says about its tensors: 8 bytes of length, JSON of that length, numbers
// without gaps (the format's description in huggingface/safetensors). Needs nlohmann-json.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include <diffseg/io/detail/tensor.hpp>

namespace diffseg {

/// A tensor as the header lists it.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;  ///< as the file says, "F32"
  std::vector<Index> shape;
  std::size_t begin = 0;  ///< first byte, counted from the end of the header
  std::size_t end = 0;    ///< one behind the last
};

namespace detail {

struct SafetensorsType {
  std::string_view name;
  std::size_t bits = 0;
  std::optional<NumberType> type = std::nullopt;  ///< none: listed, not read
};

/// All types that the format knows; none for others.
inline std::optional<SafetensorsType> safetensors_type(std::string_view name) {
  using enum NumberType;
  static constexpr std::array<SafetensorsType, 21> known{
      {{"BOOL", 8, boolean}, {"U8", 8, u8},    {"I8", 8, i8},
       {"I16", 16, i16},     {"U16", 16, u16}, {"F16", 16, f16},
       {"BF16", 16, bf16},   {"I32", 32, i32}, {"U32", 32, u32},
       {"F32", 32, f32},     {"F64", 64, f64}, {"I64", 64, i64},
       {"U64", 64, u64},     {"F8_E4M3", 8},   {"F8_E5M2", 8},
       {"F8_E8M0", 8},       {"F4", 4},        {"F6_E2M3", 6},
       {"F6_E3M2", 6},       {"C64", 64},      {"F8_E4M3FNUZ", 8}}};
  const auto* const found =
      std::find_if(known.begin(), known.end(), [&](const auto& type) { return type.name == name; });
  return found == known.end() ? std::nullopt : std::optional(*found);
}

/// Reads a header; every claim holds.
class SafetensorsHeaderReader {
 public:
  explicit SafetensorsHeaderReader(const FileBytes& file) : file_(file) {}

  std::size_t begin = 0;                        ///< of the numbers in the file
  std::vector<SafetensorsEntry> entries;        ///< in the order of their numbers
  std::map<std::string, std::string> metadata;  ///< of the whole file

  void read() {
    const auto json = parse(header_text());
    check(json.is_object(), "header: must be an object");
    for (const auto& [name, value] : json.items()) {
      if (name == "__metadata__") {
        read_metadata(value);
      } else {
        entries.push_back(entry(name, value));
      }
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    check_cover();
  }

 private:
  using Json = nlohmann::json;

  template <class... Parts>
  void check(bool condition, const Parts&... parts) const {
    require_io(condition, file_.name, parts..., "; save the file again");
  }

  std::string_view header_text() {
    constexpr std::uint64_t limit = 100'000'000;  // that of the format
    const std::string_view text = text_of(file_.bytes);
    refuse_placeholder(text, file_.name);
    require_io(!text.starts_with("PK\x03\x04") && !text.starts_with("\x93NUMPY"), file_.name,
               "magic: is a file of numpy; read it with io/npz.hpp or io/npy.hpp");
    require_io(text.size() > 8, file_.name, "header: is cut off; copy the file again");
    check(text[8] == '{', "magic: is not a safetensors file, { must be its byte 8");
    const auto length = little_endian<std::uint64_t>(file_.bytes, 0);
    check(length > 0 && length <= limit, "header: declares ", length,
          " bytes, the format allows 1 to ", limit);
    require_io(length <= text.size() - 8, file_.name, "header: declares ", length, " bytes, ",
               text.size() - 8, " are there; copy the file again");
    begin = 8 + static_cast<std::size_t>(length);
    return text.substr(8, static_cast<std::size_t>(length));
  }

  /// Refuses names that come twice, of which JSON readers keep one, and deep nesting.
  Json parse(std::string_view text) const {
    std::array<std::set<std::string>, 3> seen;  // by depth
    const auto callback = [&](int depth, Json::parse_event_t event, Json& parsed) {
      const auto level = static_cast<std::size_t>(depth);
      if (event == Json::parse_event_t::key) {
        const auto& name = parsed.get_ref<const std::string&>();
        check(seen[level].insert(name).second, "header: holds '", name, "' twice");
      } else if (event == Json::parse_event_t::object_start ||
                 event == Json::parse_event_t::array_start) {
        const bool list = event == Json::parse_event_t::array_start;
        check(level < (list ? 3U : 2U), "header: is nested deeper than a list of tensors");
        if (!list) seen[level + 1].clear();
      }
      return true;
    };
    // The parser takes a zero byte for the end and does not look behind it.
    const std::size_t zero = text.find('\0');
    check(zero == std::string_view::npos, "header: is no JSON at byte ", zero);
    try {
      return Json::parse(text.begin(), text.end(), callback);
    } catch (const Json::parse_error& error) {
      check(false, "header: is no JSON at byte ", error.byte);
    } catch (const Json::out_of_range&) {
      check(false, "header: holds a number that is too large");
    }
    return {};
  }

  void read_metadata(const Json& value) {
    if (value.is_null()) return;  // the format's own library reads it as none
    check(value.is_object(), "__metadata__: must be an object of texts");
    for (const auto& [key, text] : value.items()) {
      check(text.is_string(), "__metadata__: '", key, "' must be a text");
      metadata[key] = text.get<std::string>();
    }
  }

  SafetensorsEntry entry(const std::string& name, const Json& value) const {
    const auto field = [&](const char* key) -> const Json& {
      check(value.is_object() && value.contains(key), "header: tensor '", name, "' has no ", key);
      return value.at(key);
    };
    const Json& dtype = field("dtype");
    check(dtype.is_string(), "dtype: of '", name, "' must be a text");
    SafetensorsEntry result{name, dtype.get<std::string>(), {}};
    for (const std::uint64_t extent : whole_numbers(field("shape"), "shape", name)) {
      check(std::in_range<Index>(extent), "shape: of '", name, "' has an extent larger than any ",
            "array");
      result.shape.push_back(static_cast<Index>(extent));
    }
    const auto offsets = whole_numbers(field("data_offsets"), "data_offsets", name);
    check(offsets.size() == 2, "data_offsets: of '", name, "' must be two, got ", offsets.size());
    const std::uint64_t held = file_.bytes.size() - begin;
    check(offsets[0] <= offsets[1], "data_offsets: of '", name, "' must not end before they begin");
    require_io(offsets[1] <= held, file_.name, "payload: is cut off, '", name, "' ends at byte ",
               offsets[1], " of ", held, "; copy the file again");
    result.begin = static_cast<std::size_t>(offsets[0]);
    result.end = static_cast<std::size_t>(offsets[1]);
    check_size(result);
    return result;
  }

  std::vector<std::uint64_t> whole_numbers(const Json& list, const char* key,
                                           const std::string& name) const {
    const auto whole = [](const Json& value) { return value.is_number_unsigned(); };
    check(list.is_array() && std::all_of(list.begin(), list.end(), whole), key, ": of '", name,
          "' must be a list of whole numbers >= 0");
    check(list.size() <= 64, key, ": of '", name, "' has more than 64 numbers");
    return list.get<std::vector<std::uint64_t>>();
  }

  void check_size(const SafetensorsEntry& entry) const {
    const auto type = safetensors_type(entry.dtype);
    if (!type) return;
    std::size_t bits = type->bits;
    for (const Index extent : entry.shape) {
      const auto factor = static_cast<std::size_t>(extent);
      check(factor == 0 || bits <= std::numeric_limits<std::size_t>::max() / factor, "shape: of '",
            entry.name, "' declares more numbers than any memory holds");
      bits *= factor;
    }
    check(bits % 8 == 0 && bits / 8 == entry.end - entry.begin, "data_offsets: '", entry.name,
          "' has ", entry.end - entry.begin, " bytes, its shape and dtype need ", bits / 8);
  }

  /// Every byte of the payload belongs to one tensor.
  void check_cover() const {
    std::size_t at = 0;
    for (const auto& entry : entries) {
      check(entry.begin >= at, "data_offsets: '", entry.name, "' begins at byte ", entry.begin,
            ", within another tensor, which ends at ", at);
      check(entry.begin == at, "data_offsets: bytes ", at, " to ", entry.begin, ", before '",
            entry.name, "', belong to no tensor");
      at = entry.end;
    }
    const std::size_t held = file_.bytes.size() - begin;
    check(at == held, "payload: ", held - at, " bytes follow the last tensor");
  }

  const FileBytes& file_;
};

}  // namespace detail
}  // namespace diffseg
