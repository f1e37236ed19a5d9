// SPDX-License-Identifier: MIT
#include "mapped.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <diffseg/io/detail/mapped_file.hpp>
#include <utility>

namespace cli {

/// A mapping as the handler sees it, which may neither wait nor allocate.
struct Watch::Slot {
  std::atomic<bool> taken{false};
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};  // 0: nothing is watched
  std::atomic<bool> cut_off{false};
};

namespace {

std::array<Watch::Slot, 4096> slots;

Watch::Slot* slot_of(std::uintptr_t address) {
  for (Watch::Slot& slot : slots) {
    if (slot.begin <= address && address < slot.end) return &slot;
  }
  return nullptr;
}

/// Puts zeros where there is no file any more, from the page at hand to the end of the mapping.
bool put_zeros(void* place) {
  const auto address = reinterpret_cast<std::uintptr_t>(place);
  Watch::Slot* const slot = slot_of(address);
  if (slot == nullptr) return false;
  const std::uintptr_t offset = address % static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  slot->cut_off = true;
  return ::mmap(static_cast<char*>(place) - offset, slot->end - address + offset, PROT_READ,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

void on_bus_error(int signal, siginfo_t* info, void* /*context*/) {
  if (put_zeros(info->si_addr)) return;  // and read again
  ::signal(signal, SIG_DFL);
}

void handle_bus_errors() {
  struct sigaction action {};
  action.sa_sigaction = &on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

Watch::Watch(diffseg::FileBytes file) : file_(std::move(file)) {
  if (file_.bytes.empty()) return;
  for (Slot& slot : slots) {
    if (slot.taken.exchange(true)) continue;
    slot_ = &slot;
    slot.cut_off = false;
    slot.begin = reinterpret_cast<std::uintptr_t>(file_.bytes.data());
    slot.end = slot.begin + file_.bytes.size();
    return;
  }
}

Watch::~Watch() {
  if (slot_ == nullptr) return;
  slot_->end = 0;
  slot_->taken = false;
}

bool Watch::is_cut_off() const {
  return slot_ != nullptr && slot_->cut_off;
}

diffseg::FileBytes Watch::bytes_of(const std::shared_ptr<const Watch>& watch) {
  return {watch->file_.name, watch->file_.bytes, watch};
}

std::shared_ptr<const Watch> map_watched(const std::filesystem::path& path) {
  static const bool handled = (handle_bus_errors(), true);
  static_cast<void>(handled);
  return std::make_shared<const Watch>(diffseg::map_file(path));
}

}  // namespace cli
