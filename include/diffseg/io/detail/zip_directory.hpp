// SPDX-License-Identifier: MIT
// The members of a zip archive, from the central directory at its end (PKWARE's APPNOTE 6.3, 4.3
// and 4.5.3). Sizes in front of a member may be left open by who writes it; these never are.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include <diffseg/io/detail/file_bytes.hpp>

namespace diffseg::detail {

/// One file in an archive; its bytes lie within the archive and share none with another member.
struct ZipMember {
  std::string name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;  ///< 0 stored, 8 deflated
  std::uint32_t checksum = 0;
  std::uint64_t size = 0;    ///< when unpacked, as declared
  std::uint64_t packed = 0;  ///< bytes in the archive
  std::uint64_t offset = 0;  ///< of the local header
  std::span<const std::byte> bytes;
};

/// Reads a central directory; every claim holds but sizes and checksums of what is packed.
class ZipDirectoryReader {
 public:
  explicit ZipDirectoryReader(const FileBytes& file) : file_(file), bytes_(file.bytes) {}

  std::vector<ZipMember> read() {
    find_directory(find_end());
    check(count_ <= size_ / 46, "declares more members than it has room for");
    std::vector<ZipMember> members;
    members.reserve(static_cast<std::size_t>(count_));
    std::uint64_t at = begin_;
    while (members.size() < count_) members.push_back(read_entry(at));
    check(at == begin_ + size_, "is not as long as declared");
    for (ZipMember& member : members) locate(member);
    check_overlaps(members);
    return members;
  }

 private:
  template <class... Parts>
  void check(bool condition, const Parts&... parts) const {
    require_io(condition, file_.name, "directory: ", parts..., "; copy or save the archive again");
  }
  template <class Number>
  Number get(std::uint64_t at) const {
    return little_endian<Number>(bytes_, static_cast<std::size_t>(at));
  }
  /// True when `length` bytes from `at` on lie before `end`.
  static bool within(std::uint64_t at, std::uint64_t length, std::uint64_t end) {
    return at <= end && length <= end - at;
  }

  /// Where the record that closes the archive begins: 22 bytes and a comment.
  std::uint64_t find_end() const {
    constexpr std::uint64_t shortest = 22;
    constexpr std::uint64_t longest = shortest + 65535;
    for (std::uint64_t length = shortest; length <= std::min<std::uint64_t>(longest, bytes_.size());
         ++length) {
      const std::uint64_t at = bytes_.size() - length;
      if (get<std::uint32_t>(at) == 0x06054b50 &&
          get<std::uint16_t>(at + 20) == length - shortest) {
        return at;
      }
    }
    check(false, "is missing, the archive is cut off");
    return 0;
  }

  void find_directory(std::uint64_t end) {
    const auto disk = get<std::uint16_t>(end + 4);
    count_ = get<std::uint16_t>(end + 10);
    size_ = get<std::uint32_t>(end + 12);
    begin_ = get<std::uint32_t>(end + 16);
    const bool large =
        disk == 0xffff || count_ == 0xffff || size_ == 0xffffffff || begin_ == 0xffffffff;
    if (large && end >= 20 && get<std::uint32_t>(end - 20) == 0x07064b50) {
      end = find_large_directory(end - 20);
    } else {
      check(disk == 0 && get<std::uint16_t>(end + 8) == count_, "is spread over several disks");
    }
    check(within(begin_, size_, end), "lies outside of the archive");
  }

  /// The zip64 record that the locator at `locator` names; returns where it begins.
  std::uint64_t find_large_directory(std::uint64_t locator) {
    const auto end = get<std::uint64_t>(locator + 8);
    check(within(end, 56, locator) && get<std::uint32_t>(end) == 0x06064b50,
          "has no zip64 record where it is said to be");
    count_ = get<std::uint64_t>(end + 32);
    size_ = get<std::uint64_t>(end + 40);
    begin_ = get<std::uint64_t>(end + 48);
    check(get<std::uint32_t>(end + 16) == 0 && get<std::uint64_t>(end + 24) == count_,
          "is spread over several disks");
    return end;
  }

  /// The entry at `at`, which moves behind it.
  ZipMember read_entry(std::uint64_t& at) const {
    const std::uint64_t end = begin_ + size_;
    check(within(at, 46, end) && get<std::uint32_t>(at) == 0x02014b50, "is damaged at byte ", at);
    ZipMember member;
    member.flags = get<std::uint16_t>(at + 8);
    member.method = get<std::uint16_t>(at + 10);
    member.checksum = get<std::uint32_t>(at + 16);
    member.packed = get<std::uint32_t>(at + 20);
    member.size = get<std::uint32_t>(at + 24);
    member.offset = get<std::uint32_t>(at + 42);
    const auto name = get<std::uint16_t>(at + 28);
    const auto extra = get<std::uint16_t>(at + 30);
    const auto comment = get<std::uint16_t>(at + 32);
    check(within(at + 46, std::uint64_t{name} + extra + comment, end), "is cut off at byte ", at);
    member.name = text_of(bytes_.subspan(static_cast<std::size_t>(at + 46), name));
    read_large_sizes(member, at + 46 + name, extra);
    at += std::uint64_t{46} + name + extra + comment;
    return member;
  }

  /// Takes what did not fit into 32 bits from the extra field 1.
  void read_large_sizes(ZipMember& member, std::uint64_t at, std::uint64_t length) const {
    const std::uint64_t end = at + length;
    while (within(at, 4, end)) {
      const auto id = get<std::uint16_t>(at);
      const std::uint64_t next = at + 4 + get<std::uint16_t>(at + 2);
      check(next <= end, "member '", member.name, "' has an extra field that is cut off");
      at += 4;
      for (std::uint64_t* const field : {&member.size, &member.packed, &member.offset}) {
        if (id != 1 || *field != 0xffffffff) continue;
        check(within(at, 8, next), "member '", member.name, "' has a zip64 field that is cut off");
        *field = get<std::uint64_t>(at);
        at += 8;
      }
      at = next;
    }
  }

  /// Finds the bytes behind the member's own header.
  void locate(ZipMember& member) const {
    const bool header =
        within(member.offset, 30, begin_) && get<std::uint32_t>(member.offset) == 0x04034b50;
    check(header, "member '", member.name, "' is not where it is said to be");
    const auto name = get<std::uint16_t>(member.offset + 26);
    const std::uint64_t front = std::uint64_t{30} + name + get<std::uint16_t>(member.offset + 28);
    check(within(member.offset, front, begin_) &&
              within(member.offset + front, member.packed, begin_),
          "member '", member.name, "' of ", member.packed, " bytes reaches beyond the archive's ",
          "members");
    const auto at = static_cast<std::size_t>(member.offset);
    check(text_of(bytes_.subspan(at + 30, name)) == member.name &&
              get<std::uint16_t>(member.offset + 8) == member.method,
          "member '", member.name, "' is not what its own header says");
    member.bytes = bytes_.subspan(at + static_cast<std::size_t>(front),
                                  static_cast<std::size_t>(member.packed));
  }

  /// Members that share bytes make archives that unpack to far more than they hold.
  void check_overlaps(const std::vector<ZipMember>& members) const {
    std::vector<const ZipMember*> order;
    order.reserve(members.size());
    for (const ZipMember& member : members) order.push_back(&member);
    std::sort(order.begin(), order.end(),
              [](const ZipMember* a, const ZipMember* b) { return a->offset < b->offset; });
    for (std::size_t i = 1; i < order.size(); ++i) {
      const auto end = order[i - 1]->bytes.data() + order[i - 1]->bytes.size() - bytes_.data();
      check(static_cast<std::uint64_t>(end) <= order[i]->offset, "members '", order[i - 1]->name,
            "' and '", order[i]->name, "' share bytes");
    }
  }

  const FileBytes& file_;
  std::span<const std::byte> bytes_;
  std::uint64_t count_ = 0;  ///< of members
  std::uint64_t size_ = 0;   ///< bytes of the directory
  std::uint64_t begin_ = 0;  ///< its first byte
};

}  // namespace diffseg::detail
