// How settings that are lists are read, and headers. Errors point at the item.
#include <set>

#include "config/number.hpp"
#include "config/reader.hpp"
#include "core/http_rules.hpp"

namespace outbox::config {
namespace {

std::string item(std::size_t index) { return "item " + std::to_string(index + 1) + " "; }

}  // namespace

// The list under the key, with as many items as may be; null when there is none, or it was
// reported.
const Node* Reader::find_list(const char* key, std::size_t least, const std::string& expected) {
  const Node* node = section_.find(key);
  if (node == nullptr) return nullptr;
  if (node->type == NodeType::refused) {
    section_.set_unsound(key);
    return nullptr;
  }
  if (node->type != NodeType::list) {
    section_.refuse(key, "must be a list, expected " + expected,
                    "write it in brackets, as in [a, b], or each item on its own line after '- '");
    return nullptr;
  }
  if (node->items.size() >= least && node->items.size() <= kItemsMax) return node;
  const bool few = node->items.size() < least;
  section_.refuse(key, (few ? "has no item, expected " : "has more items, expected ") + expected,
                  few ? "write at least one" : "shorten it");
  return nullptr;
}

void Reader::operator()(const char* key, std::vector<std::string>& values, const Texts& texts) {
  const Node* list = find_list(key, texts.least, describe(texts));
  if (list == nullptr) return;
  std::vector<std::string> read;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const Node& node = list->items[i];
    if (node.type == NodeType::refused) continue;
    // An empty item has no place of its own.
    const Position at = node.type == NodeType::nothing ? section_.place(key) : node.at;
    if (node.type != NodeType::scalar) {
      section_.refuse_at(at, key, item(i) + "is no text", "quote it, as in \"null\" or \"\"");
      continue;
    }
    Complaint wrong = texts.rule(node.text);
    if (!wrong.problem.empty()) {
      section_.refuse_at(at, key, item(i) + wrong.problem, std::move(wrong.hint));
    }
    read.push_back(node.text);
  }
  values = std::move(read);
}

void Reader::operator()(const char* key, std::vector<int>& values, const Numbers& numbers) {
  const std::string range = describe(numbers.each);
  const Node* list = find_list(key, numbers.least, describe(numbers));
  if (list == nullptr) return;
  std::vector<int> read;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const Node& node = list->items[i];
    if (node.type == NodeType::refused) continue;
    const std::optional<int> value = node.plain ? parse_int(node.text) : std::nullopt;
    if (!value || *value < numbers.each.min || *value > numbers.each.max) {
      const Position at = node.type == NodeType::nothing ? section_.place(key) : node.at;
      section_.refuse_at(at, key, item(i) + "is not a whole number from " + range,
                         "write digits only, without quotes");
      continue;
    }
    read.push_back(*value);
  }
  values = std::move(read);
}

void Reader::operator()(const char* key, std::map<std::string, std::string>& values,
                        const Headers& headers) {
  const Node* node = section_.find(key);
  if (node == nullptr) return;
  Section names{*node, section_.path(key), section_.place(key), context_.errors};
  if (!names.readable()) section_.set_unsound(key);
  if (names.entries().size() > kItemsMax) {
    section_.refuse(
        key,
        "has " + std::to_string(names.entries().size()) + " headers, expected " + describe(headers),
        "shorten it");
    return;
  }
  constexpr const char* kHint =
      "remove it: what outboxd sends has keys of its own, as content_type and bearer_file";
  std::set<std::string> seen;
  for (const Entry* entry : names.entries()) {
    const std::string& name = entry->key.text;
    std::string problem = core::header_problem(name, "x");
    if (problem.empty() && !seen.insert(core::lower_case(name)).second) {
      problem = "the header '" + name + "' is given twice: case makes no difference";
    }
    if (!problem.empty()) {
      section_.refuse_at(entry->key.at, key, problem, kHint);
      continue;
    }
    const Node* value = names.find_scalar(name, "text");
    if (value == nullptr) {
      section_.set_unsound(key);
      continue;
    }
    problem = core::header_problem(name, value->text);
    if (problem.empty()) {
      values[name] = value->text;
    } else {
      section_.refuse_at(value->at, key, problem, "write 1 to 4096 printable ASCII characters");
    }
  }
}

}  // namespace outbox::config
