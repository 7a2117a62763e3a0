// Rules between the settings of one kind, and of its handler.
#include <algorithm>
#include <array>

#include "config/checks.hpp"
#include "config/text.hpp"
#include "core/duration.hpp"
#include "core/http_rules.hpp"
#include "core/size.hpp"
#include "core/url_template.hpp"

namespace outbox::config {
namespace {

constexpr std::array<std::string_view, 4> kHandlers{"sql", "function", "http", "exec"};
constexpr std::int64_t kMemoryLeast = 16 * 1'048'576;
constexpr double kRateLeast = 0.01;

void check_one_handler(Section& section) {
  std::string_view first;
  for (const std::string_view key : kHandlers) {
    if (!section.given(key)) continue;
    if (first.empty()) {
      first = key;
      continue;
    }
    section.refuse_at(
        section.place(key), key, "is a second handler, beside " + std::string{first},
        "keep one of sql (a statement), function (its name), http (an endpoint), exec (a program)");
  }
}

void check_sql_only(const core::KindOptions& kind, Section& section) {
  if (section.given("sql") || section.given("function")) return;
  const bool external = section.given("http") || section.given("exec");
  const std::string others = external ? "an http or exec" : "a C++";
  if (section.given("role")) {
    section.conflict({"role"}, section.path("role") + ": needs sql or function",
                     "the role is what an sql handler runs as; " + others +
                         " kind takes timeout and backoff only");
  }
  if (kind.lane != core::Lane::automatic) {
    section.conflict({"lane"}, section.path("lane") + ": needs sql or function",
                     others + " kind always uses the claimed lane: remove it");
  }
}

bool given_within(Section& section, std::string_view key, std::string_view inner) {
  const Node* node = section.find(key);
  return node != nullptr &&
         std::any_of(node->entries.begin(), node->entries.end(),
                     [&](const Entry& entry) { return entry.key.text == inner; });
}

void check_connect_timeout(core::KindOptions& kind, Section& section) {
  if (!kind.http || kind.http->connect_timeout <= kind.timeout) return;
  if (!given_within(section, "http", "connect_timeout")) {
    kind.http->connect_timeout = kind.timeout;
    return;
  }
  section.conflict({"timeout", "http"},
                   section.path("http.connect_timeout") + " (" +
                       core::format_duration(kind.http->connect_timeout) +
                       ") must not be more than timeout (" + core::format_duration(kind.timeout) +
                       ")",
                   "connecting is part of the attempt: lower connect_timeout, or raise timeout");
}

void check_one_line(Section& section, std::string_view key, const std::string& value) {
  const std::string problem = value.empty() ? "" : core::header_value_problem(value);
  if (!problem.empty()) {
    section.conflict({key}, section.path(key) + ": " + problem, "it is sent as a header");
  }
}

void check_headers(const core::HttpHandler& http, Section& section) {
  if (http.content_type.empty()) {
    section.conflict({"content_type"}, section.path("content_type") + ": is empty",
                     "write content_type: application/json");
  }
  check_one_line(section, "content_type", http.content_type);
  check_one_line(section, "cloudevents_source", http.cloudevents_source);
  check_one_line(section, "cloudevents_type", http.cloudevents_type);
  if (http.cloudevents_source.empty() && !http.cloudevents_type.empty()) {
    section.conflict({"cloudevents_type", "cloudevents_source"},
                     section.path("cloudevents_type") + ": needs cloudevents_source",
                     "it makes the request a CloudEvent: write cloudevents_source: /shop");
  }
  const bool authorization = std::any_of(
      http.headers.begin(), http.headers.end(),
      [](const auto& header) { return core::lower_case(header.first) == "authorization"; });
  if (authorization && !http.bearer.text.empty()) {
    section.conflict({"headers", "bearer_file", "bearer_env"},
                     section.path("headers") + ": authorization is given by bearer already",
                     "keep one of them");
  }
}

void check_target(const core::HttpHandler& http, Section& section) {
  const auto parsed = core::UrlTemplate::parse(http.url);
  if (!parsed.url) return;  // reported when it was read
  if (!parsed.url->host_from_payload()) {
    const bool networks = !http.allow_addresses.empty();
    if (!networks && !http.allow_plain_http) return;
    const std::string_view key = networks ? "allow_addresses" : "allow_plain_http";
    section.conflict({key}, section.path(key) + ": the host of the url is not from the payload",
                     "remove it: a host that is written out here is always allowed");
  } else if (parsed.url->plain_http() && !http.allow_plain_http) {
    section.conflict({"url", "url_env", "url_file", "allow_plain_http"},
                     section.path("url") + ": http:// with a host from the payload",
                     "write https://, or add allow_plain_http: true");
  }
}

}  // namespace

void check(core::KindOptions& kind, Section& section) {
  check_one_handler(section);
  check_sql_only(kind, section);
  check_connect_timeout(kind, section);
}

void check(const core::BreakerOptions& breaker, Section& section) {
  if (breaker.pause_most < breaker.pause) {
    section.conflict({"pause_most", "pause"},
                     section.path("pause_most") + " (" + core::format_duration(breaker.pause_most) +
                         ") must not be less than pause (" + core::format_duration(breaker.pause) +
                         ")",
                     "no pause is longer than pause_most: raise it, or lower pause");
  }
}

void check(const core::HttpHandler& http, Section& section) {
  check_headers(http, section);
  check_target(http, section);
  if (http.rate > 0 && http.rate < kRateLeast) {
    section.conflict({"rate"},
                     section.path("rate") +
                         ": is out of range, expected 0 (no limit) or "
                         "0.01 to 100000",
                     "write 0.01 or more: one request in 100 seconds");
  }
  if (http.client_cert_file.empty() != http.client_key_file.empty()) {
    const bool cert = http.client_key_file.empty();
    const std::string missing = cert ? "client_key_file" : "client_cert_file";
    section.conflict(
        {cert ? "client_cert_file" : "client_key_file", missing},
        section.path(cert ? "client_cert_file" : "client_key_file") + ": needs " + missing,
        "a client is known by its certificate and its key: give both");
  }
}

void check(const core::ExecHandler& exec, Section& section) {
  const auto absolute = [&](const std::string& path, std::string_view key, const char* what) {
    if (path.compare(0, 1, "/") == 0) return;
    section.conflict({key},
                     section.path(key) + ": " + what + show(path) + " is not an absolute path",
                     "write it from the root, as in /usr/local/bin/thumb");
  };
  if (!section.given("argv")) {
    section.conflict({}, section.path("argv") + " is missing: the handler has no program",
                     "write argv: [/usr/local/bin/thumb, --size, \"200\"]");
  } else if (!exec.argv.empty()) {
    absolute(exec.argv.front(), "argv", "the program ");
  }
  absolute(exec.cwd, "cwd", "");
  for (const int code : exec.dead_codes) {
    if (std::find(exec.done_codes.begin(), exec.done_codes.end(), code) == exec.done_codes.end()) {
      continue;
    }
    section.conflict(
        {"dead_codes", "done_codes"},
        section.path("dead_codes") + ": " + std::to_string(code) + " is one of done_codes, too",
        "a code means one thing: remove it from one of them");
    break;
  }
  if (exec.cpu % std::chrono::seconds{1} != core::milliseconds{0}) {
    section.conflict({"cpu"}, section.path("cpu") + ": is not a whole number of seconds",
                     "the system counts it in seconds: write 30s");
  }
  if (exec.memory > 0 && exec.memory < kMemoryLeast) {
    section.conflict({"memory"},
                     section.path("memory") + ": " + core::format_size(exec.memory) +
                         " is out of range, expected 0 (no limit) or 16MiB to 1024GiB",
                     "it bounds all that is mapped, libraries too: write 16MiB or more");
  }
}

}  // namespace outbox::config
