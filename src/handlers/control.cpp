// Strict: an answer that is half understood would be obeyed wrongly.
#include "handlers/control.hpp"

#include <nlohmann/json.hpp>

#include "core/duration.hpp"
#include "core/text.hpp"

namespace outbox::handlers {

namespace {

constexpr const char* kExpected =
    R"(; expected {"snooze": "5m"} or {"discard": "why"} and nothing else)";

std::optional<Outcome> snooze(const nlohmann::json& value, std::string& problem) {
  if (!value.is_string()) {
    problem = R"(control: "snooze" is no text; expected a duration, such as "5m")";
    return std::nullopt;
  }
  auto delay = core::parse_duration(value.get_ref<const std::string&>(), "m");
  if (delay.value) return Snooze{*delay.value};
  problem = "control: \"snooze\": " + delay.problem + "; " + delay.hint;
  return std::nullopt;
}

std::optional<Outcome> discard(const nlohmann::json& value, std::string& problem) {
  if (value.is_string() && !value.get_ref<const std::string&>().empty())
    return Discard{core::storable(value.get_ref<const std::string&>(), kControlBytesMax)};
  problem = R"(control: "discard" says nothing; expected a text that says why)";
  return std::nullopt;
}

}  // namespace

std::optional<Outcome> read_control(std::string_view json, std::string& problem) {
  problem.clear();
  if (json.size() > kControlBytesMax) return std::nullopt;
  const auto control = nlohmann::json::parse(json, nullptr, false);
  if (!control.is_object()) return std::nullopt;
  const auto snoozes = control.find("snooze");
  const auto discards = control.find("discard");
  if (snoozes == control.end() && discards == control.end()) return std::nullopt;
  if (control.size() > 1) {
    std::string keys;
    for (const auto& [key, value] : control.items()) keys += (keys.empty() ? "" : ", ") + key;
    problem = "control: it has the keys " + core::printable(keys, 200) + kExpected;
    return std::nullopt;
  }
  return snoozes != control.end() ? snooze(*snoozes, problem) : discard(*discards, problem);
}

}  // namespace outbox::handlers
