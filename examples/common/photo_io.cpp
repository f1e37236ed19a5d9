// SPDX-License-Identifier: MIT
#include "photo_io.hpp"

#include <diffseg/core/profile.hpp>
#include <diffseg/io/error.hpp>
#include <string_view>

#include "files.hpp"
#include "jpeg.hpp"
#include "picture_format.hpp"
#include "png.hpp"
#include "text.hpp"
#include "webp.hpp"

namespace cli {

using diffseg::Index;

namespace {

using Span = std::span<const unsigned char>;

Photo decode(Span bytes, Index most) {
  const std::string_view format = picture_format(bytes);
  if (format == "JPEG") return decode_jpeg(bytes, most);
  if (format == "PNG") return decode_png(bytes, most);
  if (format == "WebP") return decode_webp(bytes, most);
  if (format == "empty") throw diffseg::io_error("is empty; copy or download it again");
  if (format.empty()) {
    throw diffseg::io_error("is neither a JPEG nor a PNG nor a WebP; convert it to one of them");
  }
  throw diffseg::io_error(message("is ", format,
                                  ", and neither a JPEG nor a PNG nor a WebP; convert it to one "
                                  "of them"));
}

}  // namespace

Photo load_photo(Span bytes, const std::string& name, Index most) {
  try {
    return decode(bytes, most);
  } catch (const diffseg::io_error& error) {
    throw diffseg::io_error(name + ": " + error.what());
  }
}

Photo load_photo(const std::filesystem::path& path) {
  const diffseg::detail::ProfileScope scope("read photo");
  return load_photo(read_file(path), path.string());
}

}  // namespace cli
