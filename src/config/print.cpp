// Writes each field of the list as a line of YAML; see the header.
#include "config/print.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "config/fields.hpp"
#include "config/listen.hpp"
#include "config/number.hpp"
#include "core/duration.hpp"
#include "core/redact.hpp"

namespace outbox::config {
namespace {

constexpr std::string_view kPlainCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// Words that need no quotes; kept narrow, since quotes never harm.
bool is_plain(std::string_view text) {
  if (text.empty() || text.find_first_not_of(kPlainCharacters) != std::string_view::npos)
    return false;
  const bool starts_like_word =
      kPlainCharacters.substr(0, 62).find(text.front()) != std::string_view::npos;
  return starts_like_word && text != "null" && text != "Null" && text != "NULL";
}

std::string quoted(std::string_view text) {
  if (is_plain(text)) return std::string{text};
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (is_control(c)) {
      const auto byte = static_cast<unsigned char>(c);
      out += "\\x";
      out += kHex[byte / 16U];
      out += kHex[byte % 16U];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// A statement of several lines stays readable as a literal block, if such a block can hold it
// exactly.
bool fits_block(std::string_view text) {
  if (text.find('\n') == std::string_view::npos) return false;
  if (text.front() == ' ' || text.front() == '\n' || text.back() == '\n') return false;
  if (text.find(" \n") != std::string_view::npos) return false;
  return std::none_of(text.begin(), text.end(), [](char c) { return c != '\n' && is_control(c); });
}

class Printer {
 public:
  [[nodiscard]] std::string take() { return std::move(out_); }

  void operator()(const char* key, core::milliseconds& value,
                  const Range<core::milliseconds>& /*r*/) {
    line(key, core::format_duration(value));
  }
  void operator()(const char* key, int& value, const Range<int>& /*range*/) {
    line(key, std::to_string(value));
  }
  void operator()(const char* key, int& value, const Days& /*days*/) {
    line(key, std::to_string(value) + "d");
  }
  void operator()(const char* key, double& value, const Range<double>& /*range*/) {
    line(key, format_decimal(value));
  }
  void operator()(const char* key, std::string& value, const Characters& /*characters*/) {
    line(key, quoted(value));
  }
  void operator()(const char* key, bool& value) { line(key, value ? "true" : "false"); }
  template <class T, class E, std::size_t N>
  void operator()(const char* key, T& value, const std::array<Word<E>, N>& words) {
    for (const Word<E>& word : words) {
      if (word.value == value) line(key, std::string{word.text});
    }
  }
  void database_url(std::string& url) { line("url", quoted(core::redact_url(url))); }
  void sql_handler(std::optional<core::SqlHandler>& sql) {
    if (!sql) return;
    if (sql->function.empty()) {
      text("sql", sql->statement);
    } else {
      line("function", quoted(sql->function));
    }
    line("role", quoted(sql->role));
  }
  void listen(core::AdminOptions& admin) { line("listen", quoted(format_listen(admin))); }

  template <class T>
  void operator()(const char* key, T& section) {
    open(key);
    fields(*this, section);
    --level_;
  }
  template <class T>
  void operator()(const char* key, std::map<std::string, T>& named) {
    if (named.empty()) {
      line(key, "{}");
      return;
    }
    open(key);
    for (auto& [name, value] : named) {
      open(quoted(name));
      fields(*this, value);
      --level_;
    }
    --level_;
  }

 private:
  [[nodiscard]] std::string indent() const { return std::string(level_ * 2, ' '); }

  void line(const std::string& key, const std::string& value) {
    out_ += indent() + key + ": " + value + "\n";
  }

  void open(const std::string& key) {
    out_ += indent() + key + ":\n";
    ++level_;
  }

  void text(const std::string& key, const std::string& value) {
    if (!fits_block(value)) {
      line(key, quoted(value));
      return;
    }
    line(key, "|-");
    out_ += indent() + "  ";
    for (const char c : value) {
      out_ += c;
      if (c == '\n') out_ += indent() + "  ";
    }
    out_ += "\n";
  }

  std::string out_;
  std::size_t level_{};
};

}  // namespace

std::string print(const core::Options& options) {
  core::Options copy = options;  // The list of fields wants to write; here it only reads.
  Printer printer;
  fields(printer, copy);
  return printer.take();
}

}  // namespace outbox::config
