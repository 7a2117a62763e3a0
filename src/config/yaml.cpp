// Builds the tree from yaml-cpp's events. Its Node class is not used: it hides duplicate keys,
// anchors, tags and quotes, and looks keys up in quadratic time.
#include "config/yaml.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace outbox::config {
namespace {

constexpr std::size_t kDeepest = 16;

struct Stop {
};  // Thrown through the parser when going on makes no sense; the error has been added.

Position position(const YAML::Mark& mark) {
  return mark.line < 0 ? Position{} : Position{mark.line + 1, mark.column + 1};
}

class Builder : public YAML::EventHandler {
 public:
  Builder(const std::string& text, Errors& errors) : text_{text}, errors_{errors} {}

  [[nodiscard]] std::optional<Node> take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 0) return;
    const bool marked = source_at(mark).substr(0, 3) == "---";
    errors_.add(
        position(mark),
        marked ? "a second document starts here" : "text after the end of the document",
        "a configuration is one document: remove '---', '...' and what does not belong to it");
    throw Stop{};
  }

  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_extras(mark, anchor, {});
    place(make(NodeType::nothing, mark));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    errors_.add(position(mark), "aliases (*name) are not accepted", "write the value out");
    place(make(NodeType::refused, mark));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_extras(mark, anchor, tag);
    Node node = make(NodeType::scalar, mark);
    node.plain = tag != "!";
    node.text = value;
    if (!node.plain) refuse_open_quote(mark);
    place(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, NodeType::list);
  }

  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, NodeType::map);
  }

  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node node;
    std::optional<Node> key;
  };

  static Node make(NodeType type, const YAML::Mark& mark) {
    Node node;
    node.type = type;
    node.at = position(mark);
    return node;
  }

  [[nodiscard]] std::string_view source_at(const YAML::Mark& mark) const {
    const auto pos = static_cast<std::size_t>(mark.pos < 0 ? 0 : mark.pos);
    return std::string_view{text_}.substr(std::min(pos, text_.size()));
  }

  void refuse_extras(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag) {
    if (anchor != 0) {
      errors_.add(position(mark), "anchors (&name) are not accepted",
                  "write the value out where it is needed");
    }
    const bool own =
        tag.empty() || tag == "?" || (tag == "!" && source_at(mark).substr(0, 1) != "!");
    if (!own) errors_.add(position(mark), "tags (!name) are not accepted", "write the value alone");
  }

  // yaml-cpp takes the end of the file for the closing quote.
  void refuse_open_quote(const YAML::Mark& mark) {
    const std::string_view source = source_at(mark);
    const char quote = source.empty() ? ' ' : source.front();
    if (quote != '"' && quote != '\'') return;
    for (std::size_t i = 1; i < source.size(); ++i) {
      if (quote == '"' && source[i] == '\\') {
        ++i;
      } else if (source[i] == quote) {
        return;
      }
    }
    errors_.add(position(mark), "this quote is never closed",
                std::string{"add the closing "} + quote);
    throw Stop{};
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, NodeType type) {
    refuse_extras(mark, anchor, tag);
    if (stack_.size() == kDeepest) {
      errors_.add(position(mark), "nested deeper than " + std::to_string(kDeepest) + " levels",
                  "no setting is deeper than 5 levels: check brackets and indentation");
      throw Stop{};
    }
    stack_.push_back(Frame{make(type, mark), std::nullopt});
  }

  void close() {
    Node node = std::move(stack_.back().node);
    stack_.pop_back();
    place(std::move(node));
  }

  void place(Node node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& parent = stack_.back();
    if (parent.node.type == NodeType::list) {
      if (parent.node.items.size() < kItemsKept) parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      parent.node.entries.push_back(Entry{std::move(*parent.key), std::move(node)});
      parent.key.reset();
    }
  }

  const std::string& text_;
  Errors& errors_;
  std::vector<Frame> stack_;
  std::optional<Node> root_;
  int documents_{};
};

bool tab_before(const std::string& text, const YAML::Mark& mark) {
  const auto pos = std::min(text.size(), static_cast<std::size_t>(mark.pos < 0 ? 0 : mark.pos));
  const std::size_t newline = pos == 0 ? std::string::npos : text.rfind('\n', pos - 1);
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  const std::size_t word = text.find_first_not_of(" \t", begin);
  return text.find('\t', begin) < word;
}

std::string syntax_hint(const std::string& message) {
  struct Known {
    std::string_view message;
    std::string_view hint;
  };
  static constexpr std::array<Known, 9> kKnown{{
      {"illegal map value",
       "a text with ': ' in it needs quotes; a key stands in the column of its neighbours"},
      {"end of map not found",
       "check the indentation, and that nothing follows a closing quote or bracket"},
      {"end of sequence not found",
       "check the indentation, and that nothing follows a closing quote or bracket"},
      {"end of map flow not found", "close the { with a }"},
      {"end of sequence flow not found", "close the [ with a ]"},
      {"unknown escape character",
       "in double quotes write \\\\ for a backslash, or use single quotes"},
      {"illegal EOF in scalar", "close the quote"},
      {"unknown token", "a text that starts with @ ` or % needs quotes"},
      {"the referenced anchor", "aliases are not accepted; a text that starts with * needs quotes"},
  }};
  for (const Known& known : kKnown) {
    if (message.find(known.message) != std::string::npos) return std::string{known.hint};
  }
  return "check quotes, colons, brackets and indentation here and in the line above";
}

// yaml-cpp skips directives (%YAML, %TAG), unknown ones too, wherever they stand.
bool refuse_directive(const std::string& text, Errors& errors) {
  int line = 1;
  for (std::size_t begin = 0; begin < text.size(); ++line) {
    if (text[begin] == '%') {
      errors.add(Position{line, 1}, "a line that starts with % (a YAML directive) is not accepted",
                 "remove it; if it is part of a text, indent it");
      return true;
    }
    begin = std::min(text.find('\n', begin), text.size() - 1) + 1;
  }
  return false;
}

}  // namespace

std::optional<Node> parse_yaml(const std::string& text, Errors& errors) {
  if (refuse_directive(text, errors)) return std::nullopt;
  Builder builder{text, errors};
  try {
    std::istringstream in{text};
    YAML::Parser parser{in};
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.take();
  } catch (const Stop&) {
    return std::nullopt;
  } catch (const YAML::Exception& e) {
    errors.add(
        position(e.mark), "not valid YAML: " + e.msg,
        tab_before(text, e.mark) ? "indent with spaces, never with tabs" : syntax_hint(e.msg));
    return std::nullopt;
  } catch (const std::exception& e) {
    errors.add(Position{}, std::string{"not readable as YAML: "} + e.what(), "");
    return std::nullopt;
  }
}

}  // namespace outbox::config
