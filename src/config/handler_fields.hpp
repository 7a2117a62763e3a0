// The settings of the handlers http and exec, for the list in config/fields.hpp.
#pragma once

#include <array>
#include <chrono>
#include <string_view>

#include "config/accepted.hpp"
#include "config/text_rules.hpp"
#include "core/options.hpp"

namespace outbox::config {

inline constexpr std::array<Word<std::string_view>, 3> kMethods{
    {{"POST", "POST"}, {"PUT", "PUT"}, {"PATCH", "PATCH"}}};
inline constexpr std::array<Word<core::IdempotencyKey>, 3> kIdempotencyKeys{
    {{"quoted", core::IdempotencyKey::quoted},
     {"plain", core::IdempotencyKey::plain},
     {"off", core::IdempotencyKey::off}}};
inline constexpr std::array<Word<bool>, 2> kClientErrors{{{"dead", false}, {"retry", true}}};
inline constexpr std::array<Word<core::ExecControl>, 3> kExecControls{
    {{"off", core::ExecControl::off},
     {"last_line", core::ExecControl::last_line},
     {"fd3", core::ExecControl::fd3}}};

inline constexpr std::int64_t kKiB = 1'024;
inline constexpr std::int64_t kMiB = 1'024 * kKiB;
inline constexpr std::int64_t kGiB = 1'024 * kMiB;

template <class Visitor>
void fields(Visitor& v, core::BreakerOptions& o) {
  using namespace std::chrono;
  v("enabled", o.enabled);
  v("failures", o.failures, Range<double>{0.01, 1});
  v("least", o.least, Range<int>{1, 10'000});
  v("window", o.window, Range<milliseconds>{seconds{1}, minutes{10}});
  v("pause", o.pause, Range<milliseconds>{milliseconds{100}, hours{1}});
  v("pause_most", o.pause_most, Range<milliseconds>{milliseconds{100}, hours{24}});
}

template <class Visitor>
void fields(Visitor& v, core::HttpHandler& o) {
  using namespace std::chrono;
  v.http_url(o);
  v("method", o.method, kMethods);
  v("content_type", o.content_type, Characters{128});
  v("headers", o.headers, Headers{});
  v.secret("bearer", o.bearer, bearer_rule);
  v.secret("signing", o.signing, signing_rule);
  v("idempotency_key", o.idempotency_key, kIdempotencyKeys);
  v("cloudevents_source", o.cloudevents_source, Characters{256});
  v("cloudevents_type", o.cloudevents_type, Characters{256});
  v("connect_timeout", o.connect_timeout, Range<milliseconds>{milliseconds{10}, seconds{60}});
  v("concurrency", o.concurrency, Range<int>{1, 10'000});
  v("rate", o.rate, Range<double>{0, 100'000});
  v("breaker", o.breaker);
  v("retry_after_most", o.retry_after_most, Range<milliseconds>{seconds{1}, hours{30 * 24}});
  v("client_errors", o.retry_client_errors, kClientErrors);
  v("control", o.control);
  v("response_most", o.response_most, Bytes{0, 16 * kMiB});
  v("keep_response", o.keep_response);
  v("http2", o.http2);
  v("ca_file", o.ca_file, File{/*secret=*/false});
  v("client_cert_file", o.client_cert_file, File{/*secret=*/false});
  v("client_key_file", o.client_key_file, File{/*secret=*/true});
  v("allow_addresses", o.allow_addresses, Texts{0, "networks", network_rule});
  v("allow_plain_http", o.allow_plain_http);
}

template <class Visitor>
void fields(Visitor& v, core::ExecHandler& o) {
  using namespace std::chrono;
  v("argv", o.argv, Texts{1, "arguments", argument_rule});
  v("cwd", o.cwd, Characters{4'095});
  v("umask", o.umask, Octal{0777});
  v("user", o.user, Characters{32});
  v("env", o.env, Texts{0, "names", variable_rule});
  v("concurrency", o.concurrency, Range<int>{1, 1'000});
  v("kill_after", o.kill_after, Range<milliseconds>{seconds{0}, minutes{10}});
  v("done_codes", o.done_codes, Numbers{1, {0, 255}});
  v("dead_codes", o.dead_codes, Numbers{0, {0, 255}});
  v("control", o.control, kExecControls);
  v("output_kept", o.output_kept, Bytes{0, 64 * kKiB});
  v("output_most", o.output_most, Bytes{kKiB, 16 * kGiB});
  v("memory", o.memory, Bytes{0, 1'024 * kGiB});
  v("cpu", o.cpu, Range<milliseconds>{seconds{0}, hours{24}});
  v("files", o.files, Range<int>{8, 1'048'576});
  v("processes", o.processes, Range<int>{0, 1'048'576});
  v("file_size", o.file_size, Bytes{0, 1'024 * kGiB});
  v("keep_output", o.keep_output);
}

}  // namespace outbox::config
