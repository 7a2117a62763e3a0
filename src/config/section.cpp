// One map of the file while it is read; see the header.
#include "config/section.hpp"

#include <algorithm>
#include <utility>

#include "config/keys.hpp"
#include "config/text.hpp"

namespace outbox::config {
namespace {

const char* type_name(NodeType type) {
  switch (type) {
    case NodeType::nothing:
      return "nothing";
    case NodeType::scalar:
      return "a single value";
    case NodeType::list:
      return "a list";
    case NodeType::map:
      return "a map";
    case NodeType::refused:
      return "something not accepted";
  }
  return "something else";
}

// "queues.concurrency" is a setting that lost the name of its queue, or its indentation.
std::string map_hint(const std::string& path) {
  for (const Key& key : known_keys()) {
    const std::size_t star = key.path.find(".*");
    if (star == std::string::npos || key.path.substr(0, star) + key.path.substr(star + 2) != path) {
      continue;
    }
    return "it is a setting of one of the " + path.substr(0, star) +
           ": indent it below the name, by two more spaces";
  }
  return "write each 'key: value' on its own line, indented by two spaces below its section";
}

}  // namespace

Section::Section(const Node& node, std::string path, Position at, Errors& errors)
    : path_{std::move(path)},
      at_{at},
      errors_{errors},
      readable_{node.type == NodeType::map || node.type == NodeType::nothing} {
  if (!readable_ && node.type != NodeType::refused) {
    const std::string name = path_.empty() ? "the file" : path_ + ":";
    errors_.add(at_, name + " must be a map of 'key: value' lines, not " + type_name(node.type),
                map_hint(path_));
  }
  for (const Entry& entry : node.entries) add_entry(entry);
}

void Section::add_entry(const Entry& entry) {
  if (entry.key.type == NodeType::refused) return;
  if (entry.key.type != NodeType::scalar) {
    errors_.add(entry.key.at, std::string{"a key must be text, not "} + type_name(entry.key.type),
                "write 'key: value'; quote a key that is to be the text null or ~");
    return;
  }
  const auto [first, added] = values_.emplace(entry.key.text, &entry);
  if (added) {
    entries_.push_back(&entry);
    return;
  }
  errors_.add(entry.key.at, "duplicate key " + show(path(entry.key.text)),
              "it is already given in line " + std::to_string(first->second->key.at.line) +
                  "; keep one of them");
}

const Node* Section::find(std::string_view key) {
  known_.emplace_back(key);
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second->value;
}

const Node* Section::find_scalar(std::string_view key, const std::string& expected) {
  const Node* node = find(key);
  if (node == nullptr || node->type == NodeType::scalar) return node;
  if (node->type == NodeType::refused) {
    unsound_.emplace(key);
  } else if (node->type == NodeType::nothing) {
    refuse(key, "has no value, expected " + expected, "give it a value, or remove the line");
  } else {
    refuse(key, "must be " + expected + ", not " + type_name(node->type), "write a single value");
  }
  return nullptr;
}

void Section::refuse(std::string_view key, std::string_view what, std::string hint) {
  refuse_at(place(key), key, what, std::move(hint));
}

void Section::refuse_at(Position at, std::string_view key, std::string_view what,
                        std::string hint) {
  unsound_.emplace(key);
  errors_.add(at, path(key) + ": " + std::string{what}, std::move(hint));
}

void Section::conflict(std::initializer_list<std::string_view> keys, std::string message,
                       std::string hint) {
  Position at = at_;
  bool found = false;
  for (const std::string_view key : keys) {
    if (!sound(key)) return;
    if (!found && given(key)) {
      at = place(key);
      found = true;
    }
  }
  errors_.add(at, std::move(message), std::move(hint));
}

void Section::refuse_unknown() {
  for (const Entry* entry : entries_) {
    const std::string& key = entry->key.text;
    if (errors_.full()) return;
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string where = path_.empty() ? "at the top of the file" : "in " + path_;
    errors_.add(entry->key.at, "unknown key " + show(key) + " " + where, unknown_hint(key));
  }
}

Position Section::place(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return at_;
  const Entry& entry = *found->second;
  return entry.value.type == NodeType::scalar ? entry.value.at : entry.key.at;
}

std::string Section::path(std::string_view key) const {
  return path_.empty() ? std::string{key} : path_ + "." + std::string{key};
}

// A misspelt neighbour first, then a setting of that very name in another section, rather in the
// same part of the file.
std::string Section::unknown_hint(const std::string& key) const {
  const std::string near = nearest(key, known_);
  if (!near.empty()) return "did you mean " + near + "?";
  const std::string part = path_.substr(0, path_.find('.'));
  std::string elsewhere;
  for (const Key& other : known_keys()) {
    const std::size_t dot = other.path.rfind('.');
    if (dot == std::string::npos || other.path.substr(dot + 1) != key) continue;
    const bool near_by = other.path.compare(0, part.size() + 1, part + ".") == 0;
    if (elsewhere.empty() || near_by) elsewhere = other.path;
    if (near_by) break;
  }
  if (elsewhere.empty()) return "known here: " + join_or(known_);
  return "did you mean " + elsewhere + "? check the section and the indentation";
}

}  // namespace outbox::config
