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
#include "core/size.hpp"

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

std::string as_scalar(std::string_view text) {
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
    line(key, as_scalar(value));
  }
  void operator()(const char* key, std::int64_t& value, const Bytes& /*bytes*/) {
    line(key, core::format_size(value));
  }
  void operator()(const char* key, int& value, const Octal& /*octal*/) {
    line(key, "\"" + format_octal(value) + "\"");  // without quotes some read it as decimal
  }
  void operator()(const char* key, std::string& value, const File& /*file*/) {
    line(key, as_scalar(value));
  }
  void operator()(const char* key, std::vector<std::string>& values, const Texts& /*texts*/) {
    std::vector<std::string> items;
    for (const std::string& value : values) items.push_back(as_scalar(value));
    list(key, items);
  }
  void operator()(const char* key, std::vector<int>& values, const Numbers& /*numbers*/) {
    std::vector<std::string> items;
    for (const int value : values) items.push_back(std::to_string(value));
    list(key, items);
  }
  void operator()(const char* key, std::map<std::string, std::string>& values,
                  const Headers& /*headers*/) {
    if (values.empty()) {
      line(key, "{}");
      return;
    }
    open(key);
    for (const auto& [name, value] : values) line(as_scalar(name), as_scalar(value));
    --level_;
  }
  void operator()(const char* key, bool& value) { line(key, value ? "true" : "false"); }
  template <class T, class E, std::size_t N>
  void operator()(const char* key, T& value, const std::array<Word<E>, N>& words) {
    for (const Word<E>& word : words) {
      if (word.value == value) line(key, std::string{word.text});
    }
  }
  void database_url(std::string& url) { line("url", as_scalar(core::redact_url(url))); }
  void sql_handler(std::optional<core::SqlHandler>& sql) {
    if (!sql) return;
    if (sql->function.empty()) {
      text("sql", sql->statement);
    } else {
      line("function", as_scalar(sql->function));
    }
    line("role", as_scalar(sql->role));
  }
  void http_url(core::HttpHandler& http) {
    if (!http.url_env.empty()) {
      line("url_env", as_scalar(http.url_env));
    } else if (!http.url_file.empty()) {
      line("url_file", as_scalar(http.url_file));
    } else {
      line("url", as_scalar(http.url));
    }
  }
  void secret(const std::string& name, core::Secret& secret, TextRule /*rule*/) {
    if (!secret.env.empty()) line(name + "_env", as_scalar(secret.env));
    if (!secret.file.empty()) line(name + "_file", as_scalar(secret.file));
  }
  void listen(core::AdminOptions& admin) { line("listen", as_scalar(format_listen(admin))); }

  template <class T>
  void operator()(const char* key, T& section) {
    open(key);
    fields(*this, section);
    --level_;
  }
  template <class T>
  void operator()(const char* key, std::optional<T>& section) {
    if (section) (*this)(key, *section);
  }
  template <class T>
  void operator()(const char* key, std::map<std::string, T>& named) {
    if (named.empty()) {
      line(key, "{}");
      return;
    }
    open(key);
    for (auto& [name, value] : named) {
      open(as_scalar(name));
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

  void list(const std::string& key, const std::vector<std::string>& items) {
    std::string all;
    for (const std::string& item : items) all += (all.empty() ? "" : ", ") + item;
    line(key, "[" + all + "]");
  }

  void open(const std::string& key) {
    out_ += indent() + key + ":\n";
    ++level_;
  }

  void text(const std::string& key, const std::string& value) {
    if (!fits_block(value)) {
      line(key, as_scalar(value));
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
