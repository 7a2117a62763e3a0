// Helpers for text that somebody typed; see the header.
#include "config/text.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace outbox::config {
namespace {

constexpr std::size_t kShown = 60;
constexpr std::size_t kLongestWord = 64;  // Bounds the cost of a comparison.

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Length of the UTF-8 sequence at i, 0 when it is none (overlong, surrogate, beyond U+10FFFF or cut
// off).
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const auto first = static_cast<unsigned char>(text[i]);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : (first >= 0xE0 ? 3 : 2);
  if (first < 0xC2 || first > 0xF4 || i + length > text.size()) return 0;
  for (std::size_t k = 1; k < length; ++k) {
    if (!is_continuation(text[i + k])) return 0;
  }
  const auto second = static_cast<unsigned char>(text[i + 1]);
  const bool bad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                   (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return bad ? 0 : length;
}

// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

// "concurency", "Concurrency" and "max-crashes" are all the same mistake.
std::string normal_form(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c == '-') {
      out += '_';
    } else {
      out += (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return out;
}

}  // namespace

std::size_t find_bad_byte(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = text[i] == '\0' ? 0 : sequence_length(text, i);
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::string show(std::string_view text) {
  std::string out{"'"};
  return out.append(core::printable(text, kShown)).append("'");
}

std::string join_or(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kLongestWord) return {};
  const std::string normal = normal_form(word);
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, normal.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t edits = distance(normal, normal_form(candidate));
    if (edits < best_distance) {
      best = candidate;
      best_distance = edits;
    }
  }
  if (!best.empty() || normal.size() < 4) return best;
  for (const std::string& candidate : candidates) {
    if (candidate.compare(0, normal.size(), normal) == 0) return candidate;
  }
  return {};
}

}  // namespace outbox::config
