// The visitor that fills one struct from one section of the file; the list of fields tells it what
// to read.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/checks.hpp"
#include "config/context.hpp"
#include "config/fields.hpp"
#include "config/section.hpp"
#include "config/text.hpp"

namespace outbox::config {

/// Reads all fields of `value`, which holds the defaults, then checks the rules between them. False
/// when one of its settings was refused.
template <class T>
bool read_section(const Node& node, std::string path, Position at, const Context& context,
                  T& value);

class Reader {
 public:
  Reader(Section& section, const Context& context) : section_{section}, context_{context} {}

  // A setting: its value stays the default when the key is absent or wrong.
  void operator()(const char* key, core::milliseconds& value,
                  const Range<core::milliseconds>& range);
  void operator()(const char* key, int& value, const Range<int>& range);
  void operator()(const char* key, int& value, const Days& days);
  void operator()(const char* key, double& value, const Range<double>& range);
  void operator()(const char* key, std::string& value, const Characters& characters);
  void operator()(const char* key, bool& value);
  void operator()(const char* key, std::int64_t& value, const Bytes& bytes);
  void operator()(const char* key, int& value, const Octal& octal);
  void operator()(const char* key, std::string& value, const File& file);
  void operator()(const char* key, std::vector<std::string>& values, const Texts& texts);
  void operator()(const char* key, std::vector<int>& values, const Numbers& numbers);
  void operator()(const char* key, std::map<std::string, std::string>& values,
                  const Headers& headers);
  template <class T, class E, std::size_t N>
  void operator()(const char* key, T& value, const std::array<Word<E>, N>& words);
  void database_url(std::string& url);
  void sql_handler(std::optional<core::SqlHandler>& sql);
  void http_url(core::HttpHandler& http);
  void secret(const std::string& name, core::Secret& value, TextRule rule);
  void listen(core::AdminOptions& admin);

  // A section within.
  template <class T>
  void operator()(const char* key, T& value);
  template <class T>
  void operator()(const char* key, std::optional<T>& value);
  template <class T>
  void operator()(const char* key, std::map<std::string, T>& named);

 private:
  template <class T>
  void out_of_range(const char* key, const Node& node, const Range<T>& range, bool below);
  void unknown_word(const char* key, const Node& node, const std::vector<std::string>& words);
  [[nodiscard]] const Node* find_plain(const char* key, const std::string& expected);
  [[nodiscard]] const Node* find_list(const char* key, std::size_t least,
                                      const std::string& expected);

  Section& section_;
  const Context& context_;
};

template <class T, class E, std::size_t N>
void Reader::operator()(const char* key, T& value, const std::array<Word<E>, N>& words) {
  std::vector<std::string> texts;
  for (const Word<E>& word : words) texts.emplace_back(word.text);
  const Node* node = section_.find_scalar(key, join_or(texts));
  if (node == nullptr) return;
  for (const Word<E>& word : words) {
    if (word.text != node->text) continue;
    value = word.value;
    return;
  }
  unknown_word(key, *node, texts);
}

template <class T>
void Reader::operator()(const char* key, T& value) {
  const Node* node = section_.find(key);
  const Node empty;
  if (!read_section(node == nullptr ? empty : *node, section_.path(key), section_.place(key),
                    context_, value)) {
    section_.set_unsound(key);
  }
}

template <class T>
void Reader::operator()(const char* key, std::optional<T>& value) {
  if (section_.find(key) != nullptr) (*this)(key, value.emplace());
}

template <class T>
void Reader::operator()(const char* key, std::map<std::string, T>& named) {
  const Node* node = section_.find(key);
  if (node == nullptr) return;
  Section names{*node, section_.path(key), section_.place(key), context_.errors};
  for (const Entry* entry : names.entries()) {
    const std::string& name = entry->key.text;
    const std::string problem = name_problem(name);
    if (!problem.empty()) {
      context_.errors.add(entry->key.at,
                          section_.path(key) + ": the name " + show(name) + " " + problem,
                          "choose a name of that form; producers use it in outbox.enqueue");
    }
    (void)read_section(entry->value, names.path(name), names.place(name), context_, named[name]);
  }
}

template <class T>
bool read_section(const Node& node, std::string path, Position at, const Context& context,
                  T& value) {
  Section section{node, std::move(path), at, context.errors};
  if (!section.readable()) return false;
  Reader reader{section, context};
  fields(reader, value);
  section.refuse_unknown();
  check(value, section);
  return section.all_sound();
}

}  // namespace outbox::config
