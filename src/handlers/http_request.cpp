// The rules: Standard Webhooks 1.0.0, the Idempotency-Key draft (a structured-field string),
// CloudEvents 1.0 HTTP binding in binary mode, W3C Trace Context.
#include "handlers/http_request.hpp"

#include <algorithm>
#include <array>
#include <openssl/evp.h>
#include <random>

#include <nlohmann/json.hpp>

#include <outbox/version.hpp>

#include "core/http_rules.hpp"
#include "core/signing_key.hpp"
#include "core/url.hpp"

namespace outbox::handlers {

namespace {

using nlohmann::json;

std::string hex(const unsigned char* bytes, std::size_t count) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += kDigits[bytes[i] >> 4U];
    out += kDigits[bytes[i] & 15U];
  }
  return out;
}

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// version 00 only, and neither id all zero:
/// https://www.w3.org/TR/trace-context/#traceparent-header
bool is_traceparent(std::string_view text) {
  return text.size() == 55 && text.substr(0, 3) == "00-" && is_hex(text.substr(3, 32), 32) &&
         text[35] == '-' && is_hex(text.substr(36, 16), 16) && text[52] == '-' &&
         is_hex(text.substr(53), 2) &&
         text.substr(3, 32).find_first_not_of('0') != std::string_view::npos &&
         text.substr(36, 16).find_first_not_of('0') != std::string_view::npos;
}

/// One trace for all attempts of a job, a span for each attempt.
std::string made_traceparent(const std::string& id) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  EVP_Digest(id.data(), id.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::array<unsigned char, 8> span{};
  std::uint64_t bits = random() | 1U;
  for (auto& byte : span) {
    byte = static_cast<unsigned char>(bits);
    bits >>= 8U;
  }
  return "00-" + hex(digest.data(), 16) + "-" + hex(span.data(), span.size()) + "-01";
}

/// CloudEvents HTTP binding 3.1.3.2: everything but printable ASCII, and space, '"' and '%', is
/// percent-encoded as UTF-8.
std::string event_value(std::string_view text) {
  return core::percent_encode(text,
                              [](char c) { return c > 0x20 && c < 0x7F && c != '"' && c != '%'; });
}

void add(std::string& headers, std::string_view name, std::string_view value) {
  headers.append(name).append(": ").append(value).append(1, '\0');
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

}  // namespace

RequestMaker::RequestMaker(const core::HttpHandler& options, std::string message_prefix)
    : options_{options},
      message_prefix_{std::move(message_prefix)},
      url_{core::UrlTemplate::parse(options.url).url.value()} {
  if (!options.signing.text.empty())
    signer_.emplace(core::parse_signing_keys(options.signing.text).keys);
  if (!url_.has_placeholders()) fixed_url_ = url_.expand({});
  const auto fix = [this](const std::string& name, const std::string& value) {
    add(fixed_, name, value);
    fixed_names_.push_back(core::lower_case(name));
  };
  fix("Content-Type", options.content_type);
  for (const auto& [name, value] : options.headers) fix(name, value);
  if (!is_fixed("user-agent")) fix("User-Agent", "outboxd/" + std::string{kVersion});
  if (!options.bearer.text.empty()) fix("Authorization", "Bearer " + options.bearer.text);
}

bool RequestMaker::is_fixed(const std::string& lower) const {
  return std::find(fixed_names_.begin(), fixed_names_.end(), lower) != fixed_names_.end();
}

RequestMaker::Made RequestMaker::make(const Job& job, std::int64_t now) const {
  Made made;
  auto& request = made.request;
  made.problem = set_url(job, request);
  if (!made.problem.empty()) return made;
  request.method = options_.method;
  request.body = job.payload;
  auto& headers = request.headers;
  constexpr std::size_t kUsual = 512;
  headers.reserve(fixed_.size() + kUsual);
  headers = fixed_;
  const auto id = message_id(job.id);
  made.problem = add_job_headers(job, id, request);
  add(headers, "webhook-id", id);
  add(headers, "webhook-timestamp", std::to_string(now));
  if (signer_) add(headers, "webhook-signature", signer_->sign(id, now, request.body));
  if (options_.idempotency_key == core::IdempotencyKey::quoted)
    add(headers, "Idempotency-Key", '"' + id + '"');
  if (options_.idempotency_key == core::IdempotencyKey::plain) add(headers, "Idempotency-Key", id);
  add(headers, "outbox-kind", event_value(job.kind));
  add(headers, "outbox-attempt", std::to_string(job.attempt));
  if (!options_.cloudevents_source.empty()) add_cloudevents(job, id, request);
  return made;
}

/// Returns what is wrong.
std::string RequestMaker::set_url(const Job& job, HttpRequest& request) const {
  auto expanded = fixed_url_ ? *fixed_url_ : url_.expand(json::parse(job.payload, nullptr, false));
  if (!expanded.problem.empty())
    return "the URL cannot be made from the payload: " + expanded.problem;
  if (url_.host_from_payload() && !options_.allow_plain_http &&
      expanded.origin.rfind("https://", 0) != 0)
    return "the URL from the payload is not https; send https, or set allow_plain_http";
  request.url = std::move(expanded.url);
  request.origin = std::move(expanded.origin);
  return {};
}

/// From the job's headers: traceparent and tracestate are passed on as they are, because outboxd
/// writes no spans of its own; {"http": {"Name": "value"}} are headers of the request.
std::string RequestMaker::add_job_headers(const Job& job, const std::string& id,
                                          HttpRequest& request) const {
  if (job.headers == "{}") {  // nearly all have none
    add(request.headers, "traceparent", made_traceparent(id));
    return {};
  }
  const auto headers = json::parse(job.headers, nullptr, false);
  if (!headers.is_object()) return {};
  const auto parent = text_of(headers, "traceparent");
  const bool passed = is_traceparent(parent);
  add(request.headers, "traceparent", passed ? parent : made_traceparent(id));
  const auto state = text_of(headers, "tracestate");
  if (passed && !state.empty() && core::header_value_problem(state).empty())
    add(request.headers, "tracestate", state);
  const auto own = headers.find("http");
  if (own == headers.end()) return {};
  if (!own->is_object()) return "the job's headers have an \"http\" that is no object";
  for (const auto& [name, value] : own->items()) {
    if (!value.is_string()) return "the job's headers: http." + name.substr(0, 128) + " is no text";
    const auto text = value.get<std::string>();
    if (auto problem = core::header_problem(name, text); !problem.empty())
      return "the job's headers: " + problem;
    if (is_fixed(core::lower_case(name)))
      return "the job's headers: '" + name + "' is set by the configuration of its kind";
    add(request.headers, name, text);
  }
  return {};
}

void RequestMaker::add_cloudevents(const Job& job, const std::string& id,
                                   HttpRequest& request) const {
  const auto& type = options_.cloudevents_type;
  add(request.headers, "ce-specversion", "1.0");
  add(request.headers, "ce-id", id);
  add(request.headers, "ce-source", event_value(options_.cloudevents_source));
  add(request.headers, "ce-type", event_value(type.empty() ? job.kind : type));
}

}  // namespace outbox::handlers
