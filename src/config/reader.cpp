// How each type of setting is read from its text, and what is said when it is wrong.
#include "config/reader.hpp"

#include "config/database_url.hpp"
#include "config/http_handler.hpp"
#include "config/listen.hpp"
#include "config/number.hpp"
#include "config/secret.hpp"
#include "config/source.hpp"
#include "config/sql_handler.hpp"
#include "core/duration.hpp"
#include "core/size.hpp"

namespace outbox::config {

template <class T>
void Reader::out_of_range(const char* key, const Node& node, const Range<T>& range, bool below) {
  const std::string words = describe(range);
  const std::size_t to = words.find(" to ");
  section_.refuse(key, node.text + " is out of range, expected " + words,
                  below ? "write " + words.substr(0, to) + " or more"
                        : "write " + words.substr(to + 4) + " or less");
}

void Reader::operator()(const char* key, core::milliseconds& value,
                        const Range<core::milliseconds>& range) {
  const std::string expected = "a duration from " + describe(range);
  const Node* node = section_.find_scalar(key, expected);
  if (node == nullptr) return;
  const core::ParsedDuration parsed = core::parse_duration(node->text);
  if (!parsed.value) {
    section_.refuse(key, show(node->text) + " " + parsed.problem + ", expected " + expected,
                    parsed.hint);
  } else if (*parsed.value < range.min || *parsed.value > range.max) {
    out_of_range(key, *node, range, /*below=*/*parsed.value < range.min);
  } else {
    value = *parsed.value;
  }
}

void Reader::operator()(const char* key, int& value, const Range<int>& range) {
  const std::string expected = "a whole number from " + describe(range);
  const Node* node = find_plain(key, expected);
  if (node == nullptr) return;
  const std::optional<int> parsed = parse_int(node->text);
  if (!parsed) {
    section_.refuse(key, show(node->text) + " is not " + expected,
                    "write digits only, without leading zeros, as in " + std::to_string(value));
  } else if (*parsed < range.min || *parsed > range.max) {
    out_of_range(key, *node, range, /*below=*/*parsed < range.min);
  } else {
    value = *parsed;
  }
}

void Reader::operator()(const char* key, int& value, const Days& days) {
  const std::string expected = "whole days from " + describe(days);
  const Node* node = section_.find_scalar(key, expected);
  if (node == nullptr) return;
  const core::ParsedDuration parsed = core::parse_duration(node->text, "d");
  constexpr std::chrono::hours kDay{24};
  if (!parsed.value) {
    section_.refuse(key, show(node->text) + " " + parsed.problem + ", expected " + expected,
                    parsed.hint);
  } else if (*parsed.value % kDay != core::milliseconds{0}) {
    section_.refuse(key, show(node->text) + " is not a whole number of days, expected " + expected,
                    "write days, as in " + std::to_string(value) + "d");
  } else if (const auto count = *parsed.value / kDay; count < days.min || count > days.max) {
    section_.refuse(key, node->text + " is out of range, expected " + describe(days),
                    count < days.min ? "write " + std::to_string(days.min) + "d or more"
                                     : "write " + std::to_string(days.max) + "d or less");
  } else {
    value = static_cast<int>(count);
  }
}

void Reader::operator()(const char* key, double& value, const Range<double>& range) {
  const std::string expected = "a number from " + describe(range);
  const Node* node = find_plain(key, expected);
  if (node == nullptr) return;
  const std::optional<double> parsed = parse_decimal(node->text);
  if (!parsed) {
    section_.refuse(key, show(node->text) + " is not " + expected,
                    "write a plain decimal number, as in " + format_decimal(value));
  } else if (*parsed < range.min || *parsed > range.max) {
    out_of_range(key, *node, range, /*below=*/*parsed < range.min);
  } else {
    value = *parsed;
  }
}

void Reader::operator()(const char* key, std::string& value, const Characters& characters) {
  const Node* node = section_.find_scalar(key, "text of " + describe(characters));
  if (node == nullptr) return;
  const bool control = std::any_of(node->text.begin(), node->text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (control) {
    section_.refuse(key, "has a control character, expected one line of text", "remove it");
  } else if (const std::size_t length = count_characters(node->text); length > characters.max) {
    section_.refuse(
        key, "has " + std::to_string(length) + " characters, expected " + describe(characters),
        "shorten it");
  } else {
    value = node->text;
  }
}

void Reader::operator()(const char* key, bool& value) {
  const Node* node = find_plain(key, "true or false");
  if (node == nullptr) return;
  if (node->text == "true" || node->text == "false") {
    value = node->text == "true";
    return;
  }
  section_.refuse(key, show(node->text) + " is not accepted, expected true or false",
                  "write true for yes and on, false for no and off");
}

void Reader::database_url(std::string& url) { read_database_url(section_, context_, url); }

void Reader::operator()(const char* key, std::int64_t& value, const Bytes& bytes) {
  const std::string expected = "a size from " + describe(bytes);
  const Node* node = find_plain(key, expected);
  if (node == nullptr) return;
  const core::ParsedSize parsed = core::parse_size(node->text);
  if (!parsed.value) {
    section_.refuse(key, show(node->text) + " " + parsed.problem + ", expected " + expected,
                    parsed.hint);
  } else if (*parsed.value < bytes.min || *parsed.value > bytes.max) {
    section_.refuse(key, node->text + " is out of range, expected " + describe(bytes),
                    *parsed.value < bytes.min
                        ? "write " + core::format_size(bytes.min) + " or more"
                        : "write " + core::format_size(bytes.max) + " or less");
  } else {
    value = *parsed.value;
  }
}

// With quotes or without: it is digits that are meant either way.
void Reader::operator()(const char* key, int& value, const Octal& octal) {
  const std::string expected = "octal digits from " + describe(octal);
  const Node* node = section_.find_scalar(key, expected);
  if (node == nullptr) return;
  const std::optional<int> parsed = parse_octal(node->text);
  if (!parsed || *parsed > octal.max) {
    section_.refuse(key, show(node->text) + " is not accepted, expected " + expected,
                    "write it as for the command umask, as in \"" + format_octal(value) + "\"");
  } else {
    value = *parsed;
  }
}

void Reader::operator()(const char* key, std::string& value, const File& file) {
  const Node* node = section_.find_scalar(key, "the path of a file");
  if (node == nullptr) return;
  value = node->text.empty() ? "" : absolute_path(context_, node->text);
  if (value.empty()) return;
  Complaint wrong = file_problem(value, file.secret);
  if (!wrong.problem.empty()) section_.refuse(key, wrong.problem, std::move(wrong.hint));
}

void Reader::http_url(core::HttpHandler& http) { read_http_url(section_, context_, http); }

void Reader::secret(const std::string& name, core::Secret& value, TextRule rule) {
  read_handler_secret(section_, context_, name, value, rule);
}

void Reader::sql_handler(std::optional<core::SqlHandler>& sql) { read_sql_handler(section_, sql); }

void Reader::listen(core::AdminOptions& admin) {
  const Node* node = section_.find_scalar("listen", "an address or off");
  if (node == nullptr) return;
  const ParsedListen parsed = parse_listen(node->text);
  if (parsed.admin) {
    admin = *parsed.admin;
  } else {
    section_.refuse("listen", show(node->text) + " " + parsed.problem, parsed.hint);
  }
}

void Reader::unknown_word(const char* key, const Node& node,
                          const std::vector<std::string>& words) {
  const std::string near = nearest(node.text, words);
  section_.refuse(key, show(node.text) + " is not known, expected " + join_or(words),
                  near.empty() ? "write one of them" : "did you mean " + near + "?");
}

// Numbers and booleans: in quotes they are text, and whoever wrote it may have meant something
// else.
const Node* Reader::find_plain(const char* key, const std::string& expected) {
  const Node* node = section_.find_scalar(key, expected);
  if (node == nullptr || node->plain) return node;
  section_.refuse(key, "is text in quotes, expected " + expected, "remove the quotes");
  return nullptr;
}

}  // namespace outbox::config
