// A job that this processor holds, with what is needed to finish it. A value; the only such type
// above store/.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <outbox/job.hpp>

#include "core/limits.hpp"
#include "core/pacing.hpp"

namespace outbox::store {

struct Claimed {
  Job job;
  std::string ctid;     ///< Where the claim left the row; a hint, checked by id and token.
  int claim_token{};    ///< Fences every later write.
  int crashes{};        ///< Claims of it that ended with their processor.
  bool suspect{};       ///< Must run alone.
  bool content_left{};  ///< Payload and headers are large and still in the database: see
                        ///< fetch_content().
  std::optional<std::int64_t> expires_at_us;  ///< Microseconds since 1970 by the database's clock:
                                              ///< not to be started after it.
  core::microseconds waited{};                ///< From run_at to the claim.
  std::int64_t claimed_at_us{};  ///< Microseconds since 1970 by the clock of the database.
};

/// Claims by job and token, as parameters of a statement. Of two claims of one job (a lost reply
/// may have led to a second) only the later one: tokens only rise, so the earlier holds nothing.
class LatestClaims {
 public:
  void add(const Claimed& claimed) {
    auto& token = tokens_[claimed.job.id];
    token = std::max(token, claimed.claim_token);
  }
  [[nodiscard]] bool empty() const { return tokens_.empty(); }
  [[nodiscard]] std::string ids() const;     ///< '{1,2}'.
  [[nodiscard]] std::string tokens() const;  ///< In the order of ids().

 private:
  std::map<std::int64_t, int> tokens_;
};

/// Where a look for jobs starts.
enum class From { start, cursor };

/// The last (run_at, id) claimed in each priority: the next claim starts there, past the dead
/// entries of the index.
class Cursor {
 public:
  struct Place {
    std::int64_t run_at_us{};  ///< Microseconds since 1970.
    std::int64_t id{};
  };
  void advance(int priority, Place to) {
    auto& place = places_.at(static_cast<std::size_t>(priority));
    if (!place || to.run_at_us > place->run_at_us ||
        (to.run_at_us == place->run_at_us && to.id > place->id))
      place = to;
  }
  /// What one look found. When a look from the start found as many as it wanted, there may be more
  /// behind the cursor: it goes back to them.
  void found(const std::vector<std::pair<int, Place>>& rows, From from, int wanted) {
    if (from == From::start && std::cmp_greater_equal(rows.size(), wanted)) {
      for (const auto& [priority, place] : rows)
        places_.at(static_cast<std::size_t>(priority)).reset();
    }
    for (const auto& [priority, place] : rows) advance(priority, place);
  }
  /// Nothing is due before it. What gets there all the same is found by the looks from the start.
  void skip_to(std::int64_t run_at_us) {
    for (int priority = 0; priority < core::kPriorities; ++priority)
      advance(priority, {run_at_us, 0});
  }
  /// As parameters of a statement: '{NULL,1700…,…}' and '{0,17,…}', in order of priority.
  [[nodiscard]] std::string run_at_array(From from) const;
  [[nodiscard]] std::string id_array(From from) const;

 private:
  std::array<std::optional<Place>, core::kPriorities> places_{};
};

}  // namespace outbox::store
