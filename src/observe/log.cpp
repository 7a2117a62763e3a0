// Builds the lines and hands them to spdlog, which keeps lines of several threads apart.
#include "observe/log.hpp"

#include <array>
#include <ctime>
#include <memory>
#include <string>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "core/text.hpp"

namespace outbox::observe {

namespace {

using Json = nlohmann::ordered_json;

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

struct Named {
  const char* name;
  const char* padded;
  Level level;
};
constexpr std::array kLevels{
    Named{"trace", "trace", Level::trace}, Named{"debug", "debug", Level::debug},
    Named{"info", "info ", Level::info}, Named{"warn", "warn ", Level::warn},
    Named{"error", "error", Level::error}};

const Named& named(Level level) { return kLevels.at(static_cast<std::size_t>(level)); }

struct Log {
  std::shared_ptr<spdlog::logger> logger;
  core::LogFormat format{core::LogFormat::human};
};

std::shared_ptr<spdlog::logger> make_logger(std::string_view level, const spdlog::sink_ptr& sink) {
  auto logger = std::make_shared<spdlog::logger>("outboxd", sink);
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::info);
  for (const auto& known : kLevels) {
    if (level == known.name) logger->set_level(to_spdlog(known.level));
  }
  logger->flush_on(spdlog::level::warn);
  return logger;
}

Log& current() {
  static Log log{make_logger("info", std::make_shared<spdlog::sinks::stderr_sink_mt>()),
                 core::LogFormat::human};
  return log;
}

/// 2026-11-21T10:00:00.123Z
std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  const std::string digits = std::to_string(1000 + ms);
  return std::string{text.data(), length} + '.' + digits.substr(1) + 'Z';
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A bare word where that is unambiguous, else in quotes with \" and \\ escaped.
void append_value(std::string& line, const Json& value) {
  if (!value.is_string()) {
    line += dump(value);
    return;
  }
  const auto& text = value.get_ref<const std::string&>();
  if (!text.empty() && text.find_first_of(" \"\\=") == std::string::npos) {
    line += text;
    return;
  }
  line += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') line += '\\';
    line += c;
  }
  line += '"';
}

}  // namespace

void init_log(const core::LogOptions& options) {
  current() = {make_logger(options.level, std::make_shared<spdlog::sinks::stderr_sink_mt>()),
               options.format};
}

void init_log(const core::LogOptions& options, std::ostream& out) {
  current() = {
      make_logger(options.level, std::make_shared<spdlog::sinks::ostream_sink_mt>(out, true)),
      options.format};
}

bool logs(Level level) { return current().logger->should_log(to_spdlog(level)); }

Line& Line::text(const char* key, std::string_view value) {
  fields_[key] = core::printable(value, kLogTextMax);
  return *this;
}

Line& Line::number(const char* key, std::int64_t value) {
  fields_[key] = value;
  return *this;
}

Line& Line::flag(const char* key, bool value) {
  fields_[key] = value;
  return *this;
}

Line& Line::duration(const char* key, std::chrono::microseconds value) {
  fields_[key] = static_cast<double>(value.count()) / 1000.0;
  return *this;
}

void Line::write() const {
  const Log& log = current();
  std::string line;
  if (log.format == core::LogFormat::json) {
    Json object{{"ts", timestamp()}, {"level", named(level_).name}, {"event", event_}};
    for (const auto& [key, value] : fields_.items()) object[key] = value;
    line = dump(object);
  } else {
    line.append(timestamp()).append(" ").append(named(level_).padded).append(" ").append(event_);
    for (const auto& [key, value] : fields_.items()) {
      line.append(" ").append(key).append("=");
      append_value(line, value);
    }
  }
  log.logger->log(to_spdlog(level_), "{}", line);
}

}  // namespace outbox::observe
