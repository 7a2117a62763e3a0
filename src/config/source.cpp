// Reads settings from where they are said to be; see the header.
#include "config/source.hpp"

#include <filesystem>
#include <system_error>

#include "config/secret.hpp"
#include "config/text.hpp"

namespace outbox::config {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::optional<std::string> from_environment(Section& section, const Context& context,
                                            const Source& source) {
  const std::string& name = source.node->text;
  std::optional<std::string> value;
  if (!name.empty() && name.find('=') == std::string::npos) value = context.environment(name);
  if (value && !value->empty()) return value;
  section.refuse(source.key,
                 "the environment variable " + show(name) + (value ? " is empty" : " is not set"),
                 "this key takes the name of a variable; set it for this process");
  return std::nullopt;
}

std::optional<std::string> from_file(Section& section, const Context& context,
                                     const Source& source) {
  Secret secret = read_secret_file(absolute_path(context, source.node->text));
  if (!secret.text) section.refuse(source.key, secret.problem, secret.hint);
  return std::move(secret.text);
}

}  // namespace

std::optional<Source> only_source(Section& section, std::span<const std::string_view> keys,
                                  const std::string& what) {
  std::optional<Source> source;
  for (const std::string_view key : keys) {
    const Node* node = section.find_scalar(key, "text");
    if (!section.given(key)) continue;
    if (!source) {
      source = Source{key, node};
      continue;
    }
    section.refuse(key,
                   "is a second source of the " + what + ", beside " + section.path(source->key),
                   "keep one of them");
  }
  return source;
}

bool is_variable(const Source& source) { return ends_with(source.key, "_env"); }

bool is_file(const Source& source) { return ends_with(source.key, "_file"); }

std::optional<std::string> read_source(Section& section, const Context& context,
                                       const Source& source) {
  if (source.node == nullptr) return std::nullopt;
  if (is_variable(source)) return from_environment(section, context, source);
  if (is_file(source)) return from_file(section, context, source);
  return source.node->text;
}

std::string absolute_path(const Context& context, const std::string& path) {
  std::error_code error;
  const auto absolute =
      std::filesystem::absolute(std::filesystem::path{context.folder} / path, error);
  return error ? path : absolute.lexically_normal().string();
}

}  // namespace outbox::config
