// The end of an output of any length. A value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace outbox::handlers {

class Tail {
 public:
  Tail() = default;  ///< Only counts.
  /// Keeps the last `most` bytes, in at most twice as much memory.
  explicit Tail(std::size_t most) : most_{most} {}

  void add(std::string_view bytes) {
    seen_ += static_cast<std::int64_t>(bytes.size());
    if (bytes.size() > most_) bytes.remove_prefix(bytes.size() - most_);
    if (kept_.size() + bytes.size() > 2 * most_)
      kept_.erase(0, kept_.size() + bytes.size() - most_);
    kept_ += bytes;
  }

  [[nodiscard]] std::string_view text() const {
    std::string_view text{kept_};
    if (text.size() > most_) text.remove_prefix(text.size() - most_);
    return text;
  }
  /// Bytes added in all.
  [[nodiscard]] std::int64_t seen() const { return seen_; }
  /// Whether text() is not all of them.
  [[nodiscard]] bool cut() const { return seen_ > static_cast<std::int64_t>(text().size()); }

 private:
  std::size_t most_{0};
  std::string kept_;
  std::int64_t seen_{0};
};

}  // namespace outbox::handlers
