// Rules for single texts; see the header.
#include "config/text_rules.hpp"

#include <algorithm>

#include "core/http_rules.hpp"
#include "core/network.hpp"
#include "core/signing_key.hpp"

namespace outbox::config {
namespace {

constexpr std::size_t kLongestArgument = 4'096;
constexpr std::size_t kLongestVariable = 128;
constexpr std::string_view kVariableCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

}  // namespace

Complaint argument_rule(const std::string& text) {
  if (text.find('\0') != std::string::npos) return {"has a NUL", "no program can be given one"};
  if (text.size() <= kLongestArgument) return {};
  return {"has " + std::to_string(text.size()) + " bytes, expected at most 4096",
          "put it into a file, or into the payload"};
}

Complaint variable_rule(const std::string& text) {
  const bool name = !text.empty() && text.size() <= kLongestVariable &&
                    text.find_first_not_of(kVariableCharacters) == std::string::npos &&
                    kVariableCharacters.substr(53).find(text.front()) == std::string_view::npos;
  if (!name) {
    return {"is not the name of a variable",
            "write only its name, as in HOME: letters, digits and _, no digit first"};
  }
  if (text.compare(0, 7, "OUTBOX_") != 0) return {};
  return {"is set by outboxd itself", "remove it: programs always get these variables"};
}

Complaint network_rule(const std::string& text) {
  core::ParsedNetwork parsed = core::parse_network(text);
  return {std::move(parsed.problem), std::move(parsed.hint)};
}

Complaint bearer_rule(const std::string& text) {
  std::string problem = core::header_value_problem("Bearer " + text);
  if (problem.empty() && text.find(' ') == std::string::npos) return {};
  if (problem.empty()) problem = "has a space";
  return {"the token " + problem, "it must hold the token alone, without Bearer"};
}

Complaint signing_rule(const std::string& text) {
  core::ParsedSigningKeys parsed = core::parse_signing_keys(text);
  return {std::move(parsed.problem), std::move(parsed.hint)};
}

}  // namespace outbox::config
