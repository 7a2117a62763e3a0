// Moments as they leave the database: microseconds, by its clock. Values only; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace outbox::store {

using Moment = std::chrono::sys_time<std::chrono::microseconds>;

[[nodiscard]] inline std::optional<Moment> to_moment(std::optional<std::int64_t> us) {
  if (!us) return std::nullopt;
  return Moment{std::chrono::microseconds{*us}};
}

}  // namespace outbox::store

/// SQL that yields a timestamptz as a bigint for to_moment(): NULL stays NULL, infinity becomes the
/// year 1 or 9999, because a row with an infinite expires_at must be shown as any other.
#define OUTBOX_MOMENT(column)                                                        \
  "CASE WHEN " column " IS NOT NULL THEN (extract(epoch FROM greatest(least(" column \
  ", '9999-12-31 00:00+00'), '0001-01-01 00:00+00')) * 1000000)::bigint END"
