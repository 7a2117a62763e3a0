// UTF-8 validation as in RFC 3629: no overlong forms, no surrogates, at most U+10FFFF.
#include "core/text.hpp"

#include <cstdint>

namespace outbox::core {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kCut = " […]";

/// Length of the valid sequence at the start of `bytes`, or 0.
std::size_t sequence_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<std::uint8_t>(bytes[i]) : std::uint8_t{0};
  };
  const auto continues = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const std::uint8_t first = at(0);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && at(1) < 0xA0;
    const bool surrogate = first == 0xED && at(1) > 0x9F;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && at(1) < 0x90;
    const bool too_large = first == 0xF4 && at(1) > 0x8F;
    return continues(1) && continues(2) && continues(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

template <class Map>
std::string rewrite(std::string_view bytes, std::size_t most, Map&& map) {
  std::string out;
  std::size_t cut_at = 0;  // the longest prefix that leaves room for kCut
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    const std::string_view piece = length == 0 ? kReplacement : map(bytes.substr(0, length));
    if (out.size() + piece.size() > most) {
      out.resize(cut_at);
      return most < kCut.size() ? out : out.append(kCut);
    }
    out += piece;
    if (out.size() + kCut.size() <= most) cut_at = out.size();
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace

std::string storable(std::string_view bytes, std::size_t most) {
  return rewrite(bytes, most, [](std::string_view piece) { return piece; });
}

std::string printable(std::string_view bytes, std::size_t most) {
  return rewrite(bytes, most, [](std::string_view piece) {
    if (piece.size() > 1) {
      const bool c1 = piece[0] == '\xC2' && static_cast<unsigned char>(piece[1]) < 0xA0;
      return c1 ? std::string_view{" "} : piece;
    }
    const auto c = static_cast<unsigned char>(piece[0]);
    return c < 0x20 || c == 0x7F ? std::string_view{" "} : piece;
  });
}

}  // namespace outbox::core
