// SPDX-License-Identifier: MIT
// Tensors in .safetensors files. Link to diffseg::safetensors, which brings nlohmann-json.
#pragma once

#include <diffseg/io/detail/mapped_file.hpp>
#include <diffseg/io/detail/safetensors_header.hpp>
#include <diffseg/io/detail/tensor_bytes.hpp>
#include <diffseg/io/detail/tensor_layer.hpp>

namespace diffseg {

/// The tensors of one file; opening reads the header alone.
class SafetensorsFile {
 public:
  /// The file at `path`, mapped where that is possible.
  /// Throws io_error naming file, field and remedy.
  explicit SafetensorsFile(const std::filesystem::path& path) : SafetensorsFile(map_file(path)) {}
  /// A file in memory; without an owner, `file` must outlive this (not what this hands out).
  explicit SafetensorsFile(FileBytes file) : file_(std::move(file)) {
    detail::SafetensorsHeaderReader reader(file_);
    reader.read();
    begin_ = reader.begin;
    entries_ = std::move(reader.entries);
    metadata_ = std::move(reader.metadata);
    for (const auto& entry : entries_) names_.push_back(entry.name);
  }

  /// Names, types and shapes, also of tensors that read() refuses, in the order of their numbers.
  [[nodiscard]] const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  /// The texts that the file carries about itself.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// Of all tensors, as the file lists them.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// There is a tensor of this name.
  [[nodiscard]] bool contains(std::string_view name) const {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
  }

  /// The tensor `name`, within the file where that is mapped; old files do not align it.
  /// Throws io_error when there is none, or of a type without an equal here.
  [[nodiscard]] Tensor read(std::string_view name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    detail::require_io(found != names_.end(), file_.name, "tensor: there is no '", name, "' among ",
                       names_.size(), "; names() lists them");
    const auto& entry = entries_[static_cast<std::size_t>(found - names_.begin())];
    const std::string own_name = detail::message(file_.name, '[', name, ']');
    const auto known = detail::safetensors_type(entry.dtype);
    detail::require_io<type_error>(known && known->type, own_name, "dtype: ", entry.dtype,
                                   " is not read; save the tensor as F16, BF16, F32 or F64");
    const auto numbers = file_.bytes.subspan(begin_ + entry.begin, entry.end - entry.begin);
    return detail::make_tensor({*known->type, entry.shape}, {own_name, numbers, file_.owner});
  }

 private:
  FileBytes file_;
  std::size_t begin_ = 0;  ///< of the numbers
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::string> names_;
};

}  // namespace diffseg
