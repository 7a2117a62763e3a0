// Which headers of a request somebody else may set; see the header.
#include "core/http_rules.hpp"

#include <algorithm>
#include <array>

#include "core/text.hpp"

namespace outbox::core {
namespace {

constexpr std::size_t kLongestHeaderName = 128;
constexpr std::size_t kLongestHeaderValue = 4'096;
constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";

// Who they belong to: the message (a second one would be ambiguous, or a forgery) or the connection
// (a second one would smuggle a request into it).
constexpr std::array<std::string_view, 17> kOurHeaders{"webhook-id",
                                                       "webhook-timestamp",
                                                       "webhook-signature",
                                                       "idempotency-key",
                                                       "traceparent",
                                                       "tracestate",
                                                       "host",
                                                       "content-length",
                                                       "content-type",
                                                       "transfer-encoding",
                                                       "connection",
                                                       "te",
                                                       "trailer",
                                                       "upgrade",
                                                       "keep-alive",
                                                       "expect",
                                                       "content-encoding"};
constexpr std::array<std::string_view, 3> kOurPrefixes{"ce-", "outbox-", "proxy-"};

bool is_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kTokenMarks.find(c) != std::string_view::npos;
  });
}

bool is_ours(std::string_view name) {
  const std::string lower = lower_case(name);
  return std::find(kOurHeaders.begin(), kOurHeaders.end(), lower) != kOurHeaders.end() ||
         std::any_of(kOurPrefixes.begin(), kOurPrefixes.end(), [&](std::string_view prefix) {
           return lower.compare(0, prefix.size(), prefix) == 0;
         });
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string header_value_problem(std::string_view value) {
  if (value.empty()) return "is empty";
  if (value.size() > kLongestHeaderValue) {
    return "has " + std::to_string(value.size()) + " bytes, expected at most 4096";
  }
  const bool printable_ascii =
      std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (!printable_ascii) return "has a character that is not printable ASCII";
  if (value.front() == ' ' || value.back() == ' ') return "has a space at its start or end";
  return {};
}

std::string header_problem(std::string_view name, std::string_view value) {
  const std::string shown = "the header '" + printable(name, 60) + "'";
  if (name.size() > kLongestHeaderName) return shown + " has a name of more than 128 bytes";
  if (!is_token(name)) {
    return shown + " has a name that is not accepted, expected letters, digits and " +
           std::string{kTokenMarks};
  }
  if (is_ours(name)) return shown + " is set by outboxd itself";
  const std::string problem = header_value_problem(value);
  return problem.empty() ? problem : shown + " has a value that " + problem;
}

}  // namespace outbox::core
