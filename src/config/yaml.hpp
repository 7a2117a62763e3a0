// The YAML text as a small tree with positions; yaml.cpp is the only file that knows yaml-cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/errors.hpp"

namespace outbox::config {

enum class NodeType { nothing, scalar, list, map, refused };

struct Entry;

/// Items kept of one list, one more than any setting takes: a reader sees that there are too many.
inline constexpr std::size_t kItemsKept = 65;

/// A value.
struct Node {
  NodeType type{NodeType::nothing};
  bool plain{};      ///< A scalar without quotes.
  std::string text;  ///< Of a scalar.
  Position
      at;  ///< For `nothing` it may be behind the place where a value was expected: use the key's.
  std::vector<Entry> entries;  ///< Of a map, in the order of the file, duplicates included.
  std::vector<Node> items;     ///< Of a list, the first kItemsKept.
};

struct Entry {
  Node key;
  Node value;
};

/// The only document of the text; nothing when its syntax is broken (then an error was added) or
/// there is no document at all (then none). Aliases, anchors, tags, a second document and nesting
/// beyond 16 levels are errors. `text` is valid UTF-8 without NUL and byte order mark. Does not
/// throw on any text.
[[nodiscard]] std::optional<Node> parse_yaml(const std::string& text, Errors& errors);

}  // namespace outbox::config
