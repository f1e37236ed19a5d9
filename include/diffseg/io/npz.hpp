// SPDX-License-Identifier: MIT
// Arrays in numpy's .npz archives. Stored members (numpy.savez) need nothing else; deflated ones
// (numpy.savez_compressed) an Inflate, as io/npz_deflate.hpp has one.
#pragma once

#include <diffseg/io/crc32.hpp>
#include <diffseg/io/detail/inflate.hpp>
#include <diffseg/io/detail/mapped_file.hpp>
#include <diffseg/io/detail/npy_tensor.hpp>
#include <diffseg/io/detail/tensor_layer.hpp>
#include <diffseg/io/detail/zip_directory.hpp>

namespace diffseg {

/// The arrays of one archive; opening reads the directory alone.
class NpzFile {
 public:
  /// The archive at `path`, mapped where that is possible.
  /// Throws io_error naming file, field and remedy.
  explicit NpzFile(const std::filesystem::path& path, Inflate inflate = nullptr)
      : NpzFile(map_file(path), std::move(inflate)) {}
  /// An archive in memory; without an owner, `file` must outlive this (not what this hands out).
  explicit NpzFile(FileBytes file, Inflate inflate = nullptr);

  /// Names of the arrays, without ".npy", as the archive orders them; members that are no .npy
  /// files are left out.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// There is an array of this name.
  [[nodiscard]] bool contains(std::string_view name) const {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
  }
  /// The array `name`: within the mapping if it is stored and row-major, else a copy; its checksum
  /// is right. numpy aligns no member, so the numbers may begin at any byte.
  /// Throws io_error naming file, member, field and remedy.
  [[nodiscard]] Tensor read(std::string_view name) const;

 private:
  [[nodiscard]] FileBytes unpack(const detail::ZipMember& member, const std::string& name) const;
  void check_sizes(const detail::ZipMember& member, const std::string& name) const;
  void check_front(const detail::ZipMember& member, const std::string& name) const;

  FileBytes file_;
  Inflate inflate_;
  std::vector<detail::ZipMember> members_;
  std::vector<std::string> names_;
};

inline NpzFile::NpzFile(FileBytes file, Inflate inflate)
    : file_(std::move(file)), inflate_(std::move(inflate)) {
  const std::string_view text = detail::text_of(file_.bytes);
  detail::refuse_placeholder(text, file_.name);
  detail::require_io(!text.starts_with("\x93NUMPY"), file_.name,
                     "magic: is a single array (.npy); read it with read_npy of io/npy.hpp");
  detail::require_io(text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06"), file_.name,
                     "magic: is not a .npz file; save the arrays with numpy.savez");
  for (auto& member : detail::ZipDirectoryReader(file_).read()) {
    if (!member.name.ends_with(".npy")) continue;
    names_.push_back(member.name.substr(0, member.name.size() - 4));
    members_.push_back(std::move(member));
  }
  auto sorted = names_;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  detail::require_io(twice == sorted.end(), file_.name, "directory: holds the member '",
                     twice == sorted.end() ? "" : *twice, "' twice; save the archive again");
}

inline Tensor NpzFile::read(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  detail::require_io(found != names_.end(), file_.name, "member: there is no '", name, "' among ",
                     names_.size(), " arrays; names() lists them");
  const auto& member = members_[static_cast<std::size_t>(found - names_.begin())];
  const FileBytes array = unpack(member, detail::message(file_.name, '[', name, ']'));
  detail::require_io(detail::crc32(array.bytes) == member.checksum, array.name,
                     "checksum: does not fit the numbers, they are damaged; copy the file again");
  return detail::npy_tensor(array);
}

/// The member's own bytes, in the archive or unpacked.
inline FileBytes NpzFile::unpack(const detail::ZipMember& member, const std::string& name) const {
  check_sizes(member, name);
  if (member.method == 0) return {name, member.bytes, file_.owner};
  check_front(member, name);
  const auto size = static_cast<std::size_t>(member.size);
  const auto bytes = detail::new_bytes(size);
  const Inflated inflated = inflate_(member.bytes, {bytes.get(), size});
  detail::require_io(inflated.bytes <= size, name, "size: more than the declared ", size,
                     " bytes are packed; save the archive again");
  detail::require_io(inflated.ended && inflated.bytes == size, name, "payload: is damaged after ",
                     inflated.bytes, " of ", size, " bytes; copy the file again");
  return {name, {bytes.get(), size}, bytes};
}

/// Refuses what is packed otherwise, and sizes that no packing gives.
inline void NpzFile::check_sizes(const detail::ZipMember& member, const std::string& name) const {
  detail::require_io((member.flags & 0x2041) == 0, name,
                     "flags: is encrypted; save the archive without a password");
  detail::require_io(member.method == 0 || member.method == 8, name,
                     "method: must be 0 (stored) or 8 (deflated), got ", member.method,
                     "; save it with numpy.savez");
  detail::require_io(member.method == 8 || member.size == member.packed, name,
                     "size: a stored member declares ", member.size, " bytes and has ",
                     member.packed, "; save the archive again");
  detail::require_io(member.method == 0 || inflate_ != nullptr, name,
                     "method: is deflated, which needs zlib; give NpzFile inflate_zlib of "
                     "io/npz_deflate.hpp and link to diffseg::npz, or save it with numpy.savez");
  // The shortest code of deflate, two bits, gives at most 258 bytes.
  detail::require_io(member.size / 1032 <= member.packed, name, "size: declares ", member.size,
                     " bytes, ", member.packed,
                     " packed ones never hold so many; save the archive "
                     "again");
}

/// Unpacks the array's header and holds the declared size against its shape, before memory is
/// taken.
inline void NpzFile::check_front(const detail::ZipMember& member, const std::string& name) const {
  std::vector<std::byte> front(
      static_cast<std::size_t>(std::min<std::uint64_t>(member.size, detail::npy_header_limit)));
  const Inflated inflated = inflate_(member.bytes, front);
  detail::require_io(inflated.bytes >= front.size(), name, "payload: is damaged after ",
                     inflated.bytes, " of ", member.size, " bytes; copy the file again");
  static_cast<void>(detail::read_npy_header(detail::text_of(front), member.size, name));
}

}  // namespace diffseg
