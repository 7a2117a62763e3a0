// What each side of a chaos run knows: producers what was acknowledged, the database and the
// outside world what took effect. Values, and the text form of those that are kept in files.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace outbox::chaos {

/// A business row, and its job: the seq-th of a producer.
struct Key {
  int producer{};
  std::int64_t seq{};
  auto operator<=>(const Key&) const = default;
};

/// What a producer knows of one of its transactions.
enum class Outcome {
  ok,      ///< COMMIT was acknowledged.
  undone,  ///< Rolled back, or refused by the server.
  unknown  ///< The connection was lost: done, or not.
};

/// One transaction: rows first to first + count - 1.
struct Transaction {
  Key first;
  int count{};
  Outcome outcome{};
};

/// A row of the application, which says that its transaction committed.
struct Business {
  Key key;
  std::int64_t job_id{};
  bool outside{};  ///< Its handler works outside the database: at least once.
};

/// One execution of a handler that took effect.
struct Effect {
  Key key;
  std::int64_t job_id{};
  int attempt{};
  std::int64_t at_us{};        ///< Microseconds since 1970.
  std::string ordering_key{};  ///< Effects that share one come in the order of their jobs' ids.
};

/// How a job ended, and what it was charged.
struct End {
  std::int64_t job_id{};
  std::string state;  ///< finished, dead, or what job_states says of a live one.
  int attempt{};
  int crashes{};
  int failures{};              ///< Recorded failures of its attempts.
  int crash_failures{};        ///< Recorded crashes.
  std::int64_t ended_at_us{};  ///< Microseconds since 1970; 0 when it has not ended.
};

struct History {
  std::vector<Transaction> transactions;
  std::vector<Business> business;
  std::vector<Effect> effects;          ///< By the job's own transaction.
  std::vector<Effect> outside_effects;  ///< In the order in which they happened.
  std::vector<Effect> starts;           ///< When a handler in a processor started.
  std::vector<End> ends;
};

/// One line each: "producer seq count ok|undone|unknown", and "producer seq job attempt at_us".
[[nodiscard]] std::string to_line(const Transaction& transaction);
[[nodiscard]] std::string to_line(const Effect& effect);

/// All complete lines; the last may be torn, because its writer was killed. Throws
/// std::runtime_error for any other line that is not of that form.
[[nodiscard]] std::vector<Transaction> read_transactions(std::istream& in);
[[nodiscard]] std::vector<Effect> read_effects(std::istream& in);

}  // namespace outbox::chaos
