// SPDX-License-Identifier: MIT
// How much memory photos take, and no more of them at a time than there is room for.
#pragma once

#include <condition_variable>
#include <mutex>
#include <span>

namespace cli {

/// Bytes that a photo takes from its decoding to its results, by what its file says of its size; 0
/// for none.
[[nodiscard]] double photo_memory(std::span<const unsigned char> file);

/// Three quarters of what this machine has left, or of what the container may have.
[[nodiscard]] double spare_memory();

/// Lets photos begin while all of them fit.
class MemoryGate {
 public:
  explicit MemoryGate(double budget) : budget_(budget) {}

  /// What one photo has taken; given back in the end.
  class Share {
   public:
    Share() = default;
    Share(MemoryGate& gate, double bytes) : gate_(&gate), bytes_(bytes) {}
    ~Share() {
      if (gate_ != nullptr) gate_->give_back(bytes_);
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

   private:
    MemoryGate* gate_ = nullptr;
    double bytes_ = 0;
  };

  /// Waits until `bytes` are left, or nobody else is at work: then even what is too much may try.
  [[nodiscard]] Share enter(double bytes);

 private:
  void give_back(double bytes);

  std::mutex mutex_;
  std::condition_variable freed_;
  double budget_;
  double taken_ = 0;
  int inside_ = 0;
};

}  // namespace cli
