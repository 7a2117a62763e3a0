// Verdicts on numbers that a test cannot make a server have. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "store/doctor.hpp"

namespace outbox::store::doctor {

/// "0.6 ms".
[[nodiscard]] std::string milliseconds_text(std::chrono::microseconds time);

/// The server's clock less this machine's; the round trip's half is the error of that.
[[nodiscard]] Finding judge_clock(std::chrono::microseconds skew, std::chrono::microseconds trip);

/// How old the oldest transaction id of `object` is, and when the server freezes by itself. `fix`
/// freezes it.
[[nodiscard]] Finding judge_age(const std::string& object, std::int64_t age,
                                std::int64_t freeze_max_age, const std::string& fix);

/// Sessions in use of those that are for everybody.
[[nodiscard]] Finding judge_connections(std::int64_t used, std::int64_t most);

}  // namespace outbox::store::doctor
