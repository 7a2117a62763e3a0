// What the answer of an endpoint means for the job and for the endpoint. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <outbox/outcome.hpp>

#include "core/options.hpp"
#include "handlers/endpoint.hpp"

namespace outbox::handlers {

/// Times since the request was started; zero: it did not come so far, or had it already.
struct HttpPhases {
  core::microseconds resolved{};
  core::microseconds connected{};
  core::microseconds secured{};  ///< TLS handshake done.
  core::microseconds first_byte{};
  core::microseconds total{};
};

/// What came back, or why nothing did.
struct HttpAnswer {
  enum class End {
    answered,     ///< `status` and headers came; the body may be cut.
    timeout,      ///< Not all of it came in time.
    failed,       ///< Connection, TLS or protocol.
    not_allowed,  ///< The address is none that a URL from a payload may lead to.
    not_sent,     ///< This process could not send it: no descriptors, no memory.
  };
  End end{End::failed};
  long status{};            ///< 0: no status line came.
  std::string retry_after;  ///< The header's text.
  std::string location;
  std::string body;           ///< Its first bytes.
  std::int64_t body_bytes{};  ///< All that were read.
  std::string error;          ///< Why, when it is not `answered`.
  std::string address;        ///< That was connected to.
  HttpPhases phases;
};

struct AnswerContext {
  std::string where;  ///< For people: "POST https://shop.example/hooks".
  int attempt{1};
  std::int64_t now{};     ///< Seconds since 1970, for dates in Retry-After.
  double spin{};          ///< Uniform in [0, 1).
  bool many_endpoints{};  ///< The host is from the payload: 410 is about that receiver only.
};

struct Conclusion {
  Outcome outcome;
  const char* reason{"error"};  ///< For job_failures: error, timeout or discarded.
  Endpoint::Sign sign{Endpoint::Sign::good};
  std::optional<core::milliseconds> hold;  ///< The endpoint wants to be left alone.
  std::string pause_kind;                  ///< Not empty: the kind is to be paused, and why.
};

/// README, "What answers mean", has the table.
[[nodiscard]] Conclusion conclude(const HttpAnswer& answer, const core::KindOptions& options,
                                  const AnswerContext& context);

/// RFC 9110 10.2.3: seconds, or a date. Nothing when it is neither, or past.
[[nodiscard]] std::optional<core::milliseconds> parse_retry_after(const std::string& text,
                                                                  std::int64_t now);

/// As Events::http_answered wants it.
[[nodiscard]] const char* class_of(const HttpAnswer& answer);

/// Puts "[secret]" wherever one of `secrets` stands in what came back; shorter than 4 bytes is
/// none.
void hide(HttpAnswer& answer, const std::vector<std::string>& secrets);

/// A JSON object for job_failures.detail: below 16 KiB.
[[nodiscard]] std::string to_detail(const HttpAnswer& answer, const std::string& where);

}  // namespace outbox::handlers
