// One map of the file while it is read: finds values, and knows which keys were asked for, which
// are unknown or double.
#pragma once

#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml.hpp"

namespace outbox::config {

class Section {
 public:
  /// `node` is a map or nothing (an empty section); anything else is reported here. It and `errors`
  /// must outlive the section. `path` is "" for the whole file, else as in "queues.mail"; `at` is
  /// the place of its key.
  Section(const Node& node, std::string path, Position at, Errors& errors);

  /// False when the node was neither map nor nothing: there is nothing to read, and it has been
  /// said.
  [[nodiscard]] bool readable() const { return readable_; }

  /// The value of the key, or null when it is absent. Makes the key known.
  [[nodiscard]] const Node* find(std::string_view key);

  /// The text of the key's value, or null when it is absent or no scalar (then it is reported,
  /// naming `expected`).
  [[nodiscard]] const Node* find_scalar(std::string_view key, const std::string& expected);

  /// Reports a wrong value of this key, at its value; the key then counts as not sound.
  void refuse(std::string_view key, std::string_view what, std::string hint);

  /// As refuse, at an item or entry within its value.
  void refuse_at(Position at, std::string_view key, std::string_view what, std::string hint);

  /// The key counts as not sound: what stands within it was refused elsewhere.
  void set_unsound(std::string_view key) { unsound_.emplace(key); }

  /// Reports that keys do not fit together, at the first of them that is given; only if all are
  /// sound.
  void conflict(std::initializer_list<std::string_view> keys, std::string message,
                std::string hint);

  /// Reports all keys that nobody asked for.
  void refuse_unknown();

  [[nodiscard]] bool given(std::string_view key) const { return values_.count(key) > 0; }
  [[nodiscard]] bool sound(std::string_view key) const { return unsound_.count(key) == 0; }

  [[nodiscard]] bool all_sound() const { return readable_ && unsound_.empty(); }

  /// Where to point for this key: at its value if that is a scalar, else at the key; at the section
  /// when there is no such key.
  [[nodiscard]] Position place(std::string_view key) const;
  [[nodiscard]] std::string path(std::string_view key) const;

  /// All entries in the order of the file, without doubles and keys that are no text.
  [[nodiscard]] const std::vector<const Entry*>& entries() const { return entries_; }
  [[nodiscard]] Errors& errors() { return errors_; }

 private:
  void add_entry(const Entry& entry);
  [[nodiscard]] std::string unknown_hint(const std::string& key) const;

  std::string path_;
  Position at_;
  Errors& errors_;
  bool readable_;
  std::vector<const Entry*> entries_;
  std::map<std::string_view, const Entry*> values_;  // views into the entries' keys
  std::vector<std::string> known_;
  std::set<std::string, std::less<>> unsound_;
};

}  // namespace outbox::config
