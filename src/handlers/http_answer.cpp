// The table of answers.
#include "handlers/http_answer.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <curl/curl.h>

#include <nlohmann/json.hpp>

#include "core/decide.hpp"
#include "core/duration.hpp"
#include "core/text.hpp"
#include "handlers/control.hpp"

namespace outbox::handlers {

namespace {

using core::milliseconds;
using Sign = Endpoint::Sign;

/// Of a body, in the text of an error; the detail has more.
constexpr std::size_t kBodyInError = 300;
constexpr std::size_t kBodyInDetail = 8'192;
/// A job that this process could not send, and one that its paused kind keeps.
constexpr milliseconds kSoon{1'000};

std::string ms(core::microseconds time) {
  const auto whole = std::chrono::round<milliseconds>(time);
  return whole > milliseconds{0} ? core::format_duration(whole) : "less than 1ms";
}

std::string body_of(const HttpAnswer& answer) {
  if (answer.body.empty()) return {};
  return ": " + core::printable(answer.body, kBodyInError);
}

const char* hint_for(long status) {
  switch (status) {
    case 401:
    case 403:
      return "; hint: check the bearer token and the signing key of this kind";
    case 404:
    case 405:
      return "; hint: check url and method of this kind";
    case 413:
      return "; hint: the endpoint takes no body of this size";
    case 415:
      return "; hint: check content_type of this kind";
    default:
      return "";
  }
}

class Judge {
 public:
  Judge(const HttpAnswer& answer, const core::KindOptions& options, const AnswerContext& context)
      : answer_{answer}, options_{options}, http_{*options.http}, context_{context} {}

  [[nodiscard]] Conclusion conclude() const {
    switch (answer_.end) {
      case HttpAnswer::End::not_sent:
        return {Snooze{kSoon}, "error", Sign::none, {}, {}};
      case HttpAnswer::End::not_allowed:
        return {Discard{context_.where + ": " + answer_.error}, "discarded", Sign::none, {}, {}};
      case HttpAnswer::End::timeout:
        return retry("timeout", Sign::bad, {}, context_.where + ": " + answer_.error);
      case HttpAnswer::End::failed:
        return retry("error", Sign::bad, {}, context_.where + ": " + answer_.error);
      case HttpAnswer::End::answered:
        break;
    }
    return by_status();
  }

 private:
  [[nodiscard]] std::string said() const {
    return context_.where + ": answered " + std::to_string(answer_.status) + " after " +
           ms(answer_.phases.total);
  }

  [[nodiscard]] Conclusion by_status() const {
    const auto status = answer_.status;
    if (status >= 200 && status < 300) return success();
    if (status >= 300 && status < 400) {
      return retry(
          "error", Sign::bad, {},
          said() + ", a redirect, which is not followed; hint: set url of this kind to " +
              (answer_.location.empty() ? "where it leads"
                                        : core::printable(answer_.location, kBodyInError)));
    }
    if (status == 410) return gone();
    const bool busy = status == 429 || status == 503;
    const auto after = busy ? parse_retry_after(answer_.retry_after, context_.now) : std::nullopt;
    const bool in_progress = status == 409 && http_.idempotency_key != core::IdempotencyKey::off;
    if (status == 408 || status == 425 || status == 429 || status >= 500 || status < 200)
      return retry("error", Sign::bad, after, said() + body_of(answer_));
    if (in_progress || http_.retry_client_errors)
      return retry("error", Sign::good, {}, said() + body_of(answer_) + hint_for(status));
    return {Discard{said() + body_of(answer_) + hint_for(status)}, "discarded", Sign::good, {}, {}};
  }

  [[nodiscard]] Conclusion success() const {
    if (http_.control && !answer_.body.empty()) {
      std::string problem;
      if (auto outcome = read_control(answer_.body, problem)) {
        const char* reason = std::holds_alternative<Discard>(*outcome) ? "discarded" : "error";
        return {std::move(*outcome), reason, Sign::good, {}, {}};
      }
      if (!problem.empty())
        return retry("error", Sign::good, {}, said() + ", but its body is unclear: " + problem);
    }
    return {Done{}, "error", Sign::good, {}, {}};
  }

  /// The receiver says that it is gone for good. Where the kind has one endpoint, nothing more of
  /// it is sent until somebody resumes it, and no job is lost.
  [[nodiscard]] Conclusion gone() const {
    if (context_.many_endpoints)
      return {Discard{said() + ": the receiver is gone for good" + body_of(answer_)},
              "discarded",
              Sign::good,
              {},
              {}};
    return {Snooze{kSoon},
            "error",
            Sign::none,
            {},
            said() + ": the endpoint is gone for good" + body_of(answer_)};
  }

  /// After the kind's backoff or what the endpoint asked for, whichever is longer.
  [[nodiscard]] Conclusion retry(const char* reason, Sign sign, std::optional<milliseconds> after,
                                 std::string why) const {
    Conclusion out{Retry{std::move(why), {}}, reason, sign, {}, {}};
    if (!after) return out;
    const auto asked = std::min(*after, http_.retry_after_most);
    auto& outcome = std::get<Retry>(out.outcome);
    outcome.after =
        std::max(asked, core::backoff_delay(options_.backoff, context_.attempt, context_.spin));
    outcome.why += "; it asked to be left alone for " + core::format_duration(asked);
    out.hold = asked;
    return out;
  }

  const HttpAnswer& answer_;
  const core::KindOptions& options_;
  const core::HttpHandler& http_;
  const AnswerContext& context_;
};

}  // namespace

Conclusion conclude(const HttpAnswer& answer, const core::KindOptions& options,
                    const AnswerContext& context) {
  return Judge{answer, options, context}.conclude();
}

std::optional<milliseconds> parse_retry_after(const std::string& text, std::int64_t now) {
  if (text.empty()) return std::nullopt;
  const std::int64_t most = core::kDelayMax / std::chrono::seconds{1};
  if (text.find_first_not_of("0123456789") == std::string::npos) {
    std::int64_t seconds = most;
    std::from_chars(text.data(), text.data() + text.size(), seconds);  // beyond int64: the most
    return std::chrono::seconds{std::min(seconds, most)};
  }
  const auto date = curl_getdate(text.c_str(), nullptr);
  if (date < 0 || date <= now) return std::nullopt;
  return std::chrono::seconds{std::min<std::int64_t>(date - now, most)};
}

const char* class_of(const HttpAnswer& answer) {
  using End = HttpAnswer::End;
  switch (answer.end) {
    case End::answered:
      break;
    case End::timeout:
      return "timeout";
    case End::failed:
      return "failed";
    case End::not_allowed:
      return "not_allowed";
    case End::not_sent:
      return "not_sent";
  }
  switch (answer.status / 100) {
    case 2:
      return "2xx";
    case 3:
      return "3xx";
    case 4:
      return "4xx";
    case 5:
      return "5xx";
    default:
      return "other";
  }
}

void hide(HttpAnswer& answer, const std::vector<std::string>& secrets) {
  constexpr std::string_view kInstead = "[secret]";
  for (auto* text : {&answer.body, &answer.location, &answer.error, &answer.retry_after}) {
    for (const auto& secret : secrets) {
      if (secret.size() < 4) continue;
      for (std::size_t at = 0; (at = text->find(secret, at)) != std::string::npos;
           at += kInstead.size())
        text->replace(at, secret.size(), kInstead);
    }
  }
}

std::string to_detail(const HttpAnswer& answer, const std::string& where) {
  const auto in_ms = [](core::microseconds time) {
    return std::round(static_cast<double>(time.count()) / 100) / 10;
  };
  const auto& phases = answer.phases;
  nlohmann::ordered_json detail{{"request", where}};
  if (answer.status != 0) detail["status"] = answer.status;
  if (!answer.error.empty()) detail["error"] = core::storable(answer.error, 1'024);
  if (!answer.address.empty()) detail["address"] = answer.address;
  if (!answer.retry_after.empty()) detail["retry_after"] = core::storable(answer.retry_after, 128);
  if (answer.status != 0) {
    detail["body"] = core::storable(answer.body, kBodyInDetail);
    detail["body_bytes"] = answer.body_bytes;
  }
  detail["ms"] = {{"resolved", in_ms(phases.resolved)},
                  {"connected", in_ms(phases.connected)},
                  {"secured", in_ms(phases.secured)},
                  {"first_byte", in_ms(phases.first_byte)},
                  {"total", in_ms(phases.total)}};
  return detail.dump();
}

}  // namespace outbox::handlers
