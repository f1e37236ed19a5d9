// SPDX-License-Identifier: MIT
#include "picture_format.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace cli {

namespace {

using Span = std::span<const unsigned char>;
using std::string_view_literals::operator""sv;

struct Format {
  std::size_t at;
  std::string_view begin;
  std::string_view name;
};

// More special ones first.
constexpr std::array formats{
    Format{0, "\xff\xd8\xff"sv, "JPEG"},
    Format{0, "\x89PNG\r\n\x1a\n"sv, "PNG"},
    Format{8, "WEBP"sv, "WebP"},
    Format{0, "GIF8"sv, "a GIF"},
    Format{0, "BM"sv, "a BMP"},
    Format{8, "CR\x02"sv, "a camera's raw file (CR2)"},
    Format{0, "II\x2a\0"sv, "a TIFF or a camera's raw file"},
    Format{0, "MM\0\x2a"sv, "a TIFF or a camera's raw file"},
    Format{0, "II\x2b\0"sv, "a BigTIFF"},
    Format{0, "MM\0\x2b"sv, "a BigTIFF"},
    Format{0, "IIRO"sv, "a camera's raw file (ORF)"},
    Format{0, "IIU\0"sv, "a camera's raw file (RW2)"},
    Format{0, "FUJIFILMCCD-RAW"sv, "a camera's raw file (RAF)"},
    Format{0, "II\xbc"sv, "a JPEG XR"},
    Format{8, "avif"sv, "an AVIF"},
    Format{8, "avis"sv, "an AVIF"},
    Format{8, "crx "sv, "a camera's raw file (CR3)"},
    Format{8, "heic"sv, "a HEIC"},
    Format{8, "heix"sv, "a HEIC"},
    Format{8, "heim"sv, "a HEIC"},
    Format{8, "heis"sv, "a HEIC"},
    Format{8, "hevc"sv, "a HEIC"},
    Format{8, "mif1"sv, "a HEIF"},
    Format{8, "msf1"sv, "a HEIF"},
    Format{4, "ftyp"sv, "a video (MP4 or alike)"},
    Format{0, "\x1a\x45\xdf\xa3"sv, "a video (Matroska or WebM)"},
    Format{8, "AVI "sv, "a video (AVI)"},
    Format{0, "\xff\x0a"sv, "a JPEG XL"},
    Format{4, "JXL \r\n\x87\n"sv, "a JPEG XL"},
    Format{4, "jP  \r\n\x87\n"sv, "a JPEG 2000"},
    Format{0, "\xff\x4f\xff\x51"sv, "a JPEG 2000"},
    Format{0, "8BPS"sv, "a PSD"},
    Format{0, "gimp xcf"sv, "an XCF"},
    Format{0, "%PDF"sv, "a PDF"},
    Format{0, "%!PS"sv, "a PostScript file"},
    Format{0, "\0\0\x01\0"sv, "an ICO"},
    Format{0, "\x76\x2f\x31\x01"sv, "an OpenEXR"},
    Format{0, "#?RADIANCE"sv, "a Radiance HDR"},
    Format{0, "DDS "sv, "a DDS"},
    Format{0, "qoif"sv, "a QOI"},
    Format{0, "\x8aMNG"sv, "an MNG"},
    Format{0, "SIMPLE  ="sv, "a FITS"},
    Format{128, "DICM"sv, "a DICOM"},
    Format{0, "\x93NUMPY"sv, "a .npy array"},
    Format{0, "\x89HDF"sv, "an HDF5"},
    Format{0, "PK\x03\x04"sv, "a ZIP archive"},
    Format{0, "\x1f\x8b"sv, "a gzip archive"},
    Format{0, "\0\x05\x16\x07"sv, "an AppleDouble file (what macOS keeps beside a file)"},
    Format{0, "version https://git-lfs"sv, "a pointer of Git LFS (fetch what it points to)"},
};

bool holds(Span bytes, std::size_t at, std::string_view text) {
  return bytes.size() >= at + text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; });
}

/// SVG, HTML, PNM or whatever else is words.
std::string_view text_format(Span bytes) {
  const Span front = bytes.first(std::min<std::size_t>(bytes.size(), 1024));
  const auto has = [&](std::string_view text) {
    for (std::size_t at = 0; at < front.size(); ++at)
      if (holds(front, at, text)) return true;
    return false;
  };
  if (front.size() >= 3 && front[0] == 'P' && front[1] >= '1' && front[1] <= '7' &&
      (front[2] == '\n' || front[2] == ' ' || front[2] == '\r' || front[2] == '\t')) {
    return "a PNM";
  }
  if (std::any_of(front.begin(), front.end(), [](unsigned char byte) {
        return byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' && byte != '\f';
      })) {
    return {};
  }
  if (has("<svg")) return "an SVG";
  if (has("<html") || has("<HTML") || has("<!DOCTYPE html") || has("<!doctype html"))
    return "an HTML page";
  return "a text";
}

}  // namespace

std::string_view picture_format(Span bytes) {
  if (bytes.empty()) return "empty";
  for (const Format& format : formats)
    if (holds(bytes, format.at, format.begin)) return format.name;
  return text_format(bytes);
}

}  // namespace cli
