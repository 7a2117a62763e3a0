// From a job to the request that delivers it. Pure but for the random part of a traceparent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <outbox/job.hpp>

#include "core/options.hpp"
#include "core/url_template.hpp"
#include "handlers/signer.hpp"

namespace outbox::handlers {

struct HttpRequest {
  std::string method;
  std::string url;
  std::string origin;     ///< "https://host:443"
  std::string headers;    ///< "Name: value" in the order they are sent, each ended by a NUL.
  std::string_view body;  ///< The job's payload: the job must outlive it.
};

/// What all requests of a kind share, prepared once. Thread contract: const members from any
/// thread.
class RequestMaker {
 public:
  /// `options` were checked when the configuration was loaded, and outlive it. `message_prefix`:
  /// store::message_prefix.
  RequestMaker(const core::HttpHandler& options, std::string message_prefix);

  struct Made {
    HttpRequest request;
    std::string problem;  ///< Not empty: this job can never be delivered, and why.
  };
  /// `now` in seconds since 1970: the webhook-timestamp. The body is the payload as the database
  /// writes it, and so the same bytes at every attempt.
  [[nodiscard]] Made make(const Job& job, std::int64_t now) const;

  /// The stable id of a job for its receivers, over retries and replays.
  [[nodiscard]] std::string message_id(std::int64_t job) const {
    return message_prefix_ + std::to_string(job);
  }
  [[nodiscard]] const core::UrlTemplate& url() const { return url_; }

 private:
  [[nodiscard]] std::string set_url(const Job& job, HttpRequest& request) const;
  [[nodiscard]] bool is_fixed(const std::string& lower) const;
  [[nodiscard]] std::string add_job_headers(const Job& job, const std::string& id,
                                            HttpRequest& request) const;
  void add_cloudevents(const Job& job, const std::string& id, HttpRequest& request) const;

  const core::HttpHandler& options_;
  const std::string message_prefix_;
  core::UrlTemplate url_;
  std::optional<core::UrlTemplate::Expanded> fixed_url_;  ///< It has no placeholders.
  std::optional<Signer> signer_;
  std::string fixed_;                     ///< Headers that are the same for every job.
  std::vector<std::string> fixed_names_;  ///< In lower case.
};

}  // namespace outbox::handlers
