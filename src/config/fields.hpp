// The one list of all settings (those of http and exec: handler_fields.hpp): name, place and range,
// in the order of the file. Loading, printing
// and the list of known keys all walk it with a visitor, so a new setting is added here, in
// core/options.hpp and in the example.
#pragma once

#include <array>
#include <string_view>

#include "config/accepted.hpp"
#include "config/handler_fields.hpp"
#include "core/limits.hpp"
#include "core/options.hpp"

namespace outbox::config {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

inline constexpr std::array<Word<core::Lane>, 3> kLanes{{{"auto", core::Lane::automatic},
                                                         {"direct", core::Lane::direct},
                                                         {"claimed", core::Lane::claimed}}};
inline constexpr std::array<Word<core::LogFormat>, 2> kLogFormats{
    {{"human", core::LogFormat::human}, {"json", core::LogFormat::json}}};
inline constexpr std::array<Word<std::string_view>, 5> kLogLevels{{{"trace", "trace"},
                                                                   {"debug", "debug"},
                                                                   {"info", "info"},
                                                                   {"warn", "warn"},
                                                                   {"error", "error"}}};

/// The keys that fill DatabaseOptions::url together, and those that fill KindOptions::sql. An http
/// handler's url has the keys of the former, too.
inline constexpr std::array<std::string_view, 3> kUrlKeys{"url", "url_env", "url_file"};
inline constexpr std::array<std::string_view, 2> kPasswordKeys{"password_env", "password_file"};
inline constexpr std::array<std::string_view, 3> kSqlKeys{"sql", "function", "role"};

template <class Visitor>
void fields(Visitor& v, core::DatabaseOptions& o) {
  v.database_url(o.url);
  v("connect_timeout", o.connect_timeout, Range<core::milliseconds>{seconds{1}, seconds{60}});
  v("statement_timeout", o.statement_timeout,
    Range<core::milliseconds>{core::milliseconds{100}, minutes{10}});
  v("allow_privileged_role", o.allow_privileged_role);
}

template <class Visitor>
void fields(Visitor& v, core::ProcessorOptions& o) {
  v("name", o.name, Characters{63});
  v("heartbeat", o.heartbeat, Range<core::milliseconds>{core::milliseconds{100}, seconds{60}});
  v("dead_after", o.dead_after, Range<core::milliseconds>{core::milliseconds{300}, minutes{10}});
  v("grace", o.grace, Range<core::milliseconds>{seconds{0}, hours{1}});
  v("poll", o.poll, Range<core::milliseconds>{core::milliseconds{50}, seconds{60}});
  v("max_crashes", o.max_crashes, Range<int>{1, 100});
  v("dead_retention", o.dead_retention_days, Days{1, 3650});
}

template <class Visitor>
void fields(Visitor& v, core::QueueOptions& o) {
  v("concurrency", o.concurrency, Range<int>{1, 256});
  v("direct_workers", o.direct_workers, Range<int>{1, 256});
  v("group_most", o.group_most, Range<int>{1, core::kGroupMax});
  v("history", o.history);
  v("retention", o.retention_days, Days{1, 30});
}

template <class Visitor>
void fields(Visitor& v, core::Backoff& o) {
  v("first", o.first, Range<core::milliseconds>{core::milliseconds{1}, hours{24}});
  v("factor", o.factor, Range<double>{1, 10});
  v("cap", o.cap, Range<core::milliseconds>{core::milliseconds{1}, hours{30 * 24}});
  v("jitter", o.jitter, Range<double>{0, 0.5});
}

template <class Visitor>
void fields(Visitor& v, core::KindOptions& o) {
  v.sql_handler(o.sql);
  v("http", o.http);
  v("exec", o.exec);
  v("lane", o.lane, kLanes);
  v("timeout", o.timeout, Range<core::milliseconds>{core::milliseconds{10}, hours{24}});
  v("backoff", o.backoff);
}

template <class Visitor>
void fields(Visitor& v, core::LogOptions& o) {
  v("level", o.level, kLogLevels);
  v("format", o.format, kLogFormats);
}

template <class Visitor>
void fields(Visitor& v, core::AdminOptions& o) {
  v.listen(o);
}

template <class Visitor>
void fields(Visitor& v, core::Options& o) {
  v("database", o.database);
  v("processor", o.processor);
  v("queues", o.queues);
  v("kinds", o.kinds);
  v("log", o.log);
  v("admin", o.admin);
}

}  // namespace outbox::config
