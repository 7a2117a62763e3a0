// What the proxy knows of PostgreSQL's wire protocol, version 3: where messages end, and which of a
// client's may commit. Pure.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace outbox::chaos {

/// Somebody does not speak the protocol, or says more at once than the proxy keeps.
struct BadMessage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Type and length.
inline constexpr std::size_t kHeaderSize = 5;
inline constexpr std::size_t kMessageMost = 64U << 20U;

/// The first packet of a connection has a length and a code, no type.
inline constexpr std::size_t kStartupLeast = 8;
inline constexpr std::size_t kStartupMost = 10'000;  // the server's own limit
inline constexpr std::uint32_t kCancelCode = 80'877'102;
inline constexpr std::uint32_t kSslCode = 80'877'103;
inline constexpr std::uint32_t kGssCode = 80'877'104;

inline std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t out{0};
  for (const char byte : bytes.substr(at, sizeof out))
    out = (out << 8U) | static_cast<unsigned char>(byte);
  return out;
}

/// Size of the message that begins here, header included; 0 while its header is not whole.
inline std::size_t message_size(std::string_view bytes) {
  if (bytes.size() < kHeaderSize) return 0;
  const std::size_t length = number_at(bytes, 1);  // counts itself, not the type
  if (length < sizeof(std::uint32_t)) throw BadMessage{"a message shorter than its header"};
  return 1 + length;
}

/// Query, Sync and FunctionCall: the server answers each with one ReadyForQuery.
inline bool ends_group(char type) { return type == 'Q' || type == 'S' || type == 'F'; }

/// Parse, Bind, Describe, Execute and Close. The others (a Flush, data of COPY, a password) are
/// there to be answered, or stored, before the group ends.
inline bool waits_for_sync(char type) {
  return std::string_view{"PBDEC"}.find(type) != std::string_view::npos;
}

/// The prepared statement that a Bind names, after its portal.
inline std::string_view bound_statement(std::string_view body) {
  const auto portal_end = std::min(body.find('\0'), body.size());
  const auto rest = body.substr(std::min(portal_end + 1, body.size()));
  return rest.substr(0, rest.find('\0'));
}

/// As a word: neither synchronous_commit nor committed.
inline bool has_commit(std::string_view sql) {
  static constexpr std::string_view kWord{"COMMIT"};
  const auto upper = [](char c) { return std::toupper(static_cast<unsigned char>(c)); };
  const auto in_name = [&](char c) { return std::isalnum(upper(c)) != 0 || c == '_' || c == '$'; };
  auto at = sql.begin();
  for (;;) {
    at = std::search(at, sql.end(), kWord.begin(), kWord.end(),
                     [&](char a, char b) { return upper(a) == b; });
    if (at == sql.end()) return false;
    const auto next = at + kWord.size();
    if ((at == sql.begin() || !in_name(at[-1])) && (next == sql.end() || !in_name(*next)))
      return true;
    at = next;
  }
}

/// Finds the messages in what the server sends, in pieces of any size, without keeping them.
class Replies {
 public:
  /// Calls seen(type, the first bytes of the body, at most kPeek) for each.
  template <class F>
  void feed(std::string_view bytes, F&& seen) {
    for (;;) {
      const auto skipped = std::min(skip_, bytes.size());
      skip_ -= skipped;
      bytes.remove_prefix(skipped);
      if (!gather(bytes, kHeaderSize)) return;
      const auto size = message_size(head_);
      if (!gather(bytes, std::min(size, kHeaderSize + kPeek))) return;
      seen(head_.front(), std::string_view{head_}.substr(kHeaderSize));
      skip_ = size - head_.size();
      head_.clear();
    }
  }

 private:
  static constexpr std::size_t kPeek = 8;  // "ROLLBACK"

  bool gather(std::string_view& bytes, std::size_t wanted) {
    if (head_.size() >= wanted) return true;
    const auto more = std::min(wanted - head_.size(), bytes.size());
    head_.append(bytes.substr(0, more));
    bytes.remove_prefix(more);
    return head_.size() == wanted;
  }

  std::string head_;     // of the message that comes in
  std::size_t skip_{0};  // what is left of the one before
};

}  // namespace outbox::chaos
