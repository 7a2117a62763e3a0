// Other sessions beside the test's own: one that runs a step on a thread of its own, one that holds
// a gate shut. Called from the test's thread; assertions stay there, steps hand back what they saw.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "store/database.hpp"
#include "support/database.hpp"

namespace outbox::test {

/// Long enough for a crowded machine; only a failing test waits for it.
inline constexpr std::chrono::seconds kPatience{10};

/// Runs `step(store::Database&)` with a connection of its own on a thread of its own. The future
/// gives its result, or rethrows what it threw.
template <class Step>
[[nodiscard]] auto in_background(const TestDatabase& db, store::Use use, Step step,
                                 Login login = Login::worker) {
  return std::async(std::launch::async,
                    [options = db.options(login), use, step = std::move(step)]() mutable {
                      store::Database database{options, "actor", use};
                      return step(database);
                    });
}

/// How many sessions of this database wait for a lock (advisory ones included) just now.
[[nodiscard]] std::int64_t blocked_sessions(TestDatabase& db);

/// Waits until so many sessions wait for a lock; false after kPatience.
[[nodiscard]] bool eventually_blocked(TestDatabase& db, std::int64_t sessions);

/// A transaction of somebody else, open until commit(), rollback() or destruction.
class Transaction {
 public:
  explicit Transaction(const TestDatabase& db, const std::string& sql = {});
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void exec(const std::string& sql);
  void commit();
  void rollback();

 private:
  struct Open;
  std::unique_ptr<Open> open_;
};

/// A gate that handlers wait at: `SELECT pg_advisory_xact_lock(4711)` blocks until it is opened.
class Gate {
 public:
  explicit Gate(const TestDatabase& db) : holder_{db, "SELECT pg_advisory_xact_lock(4711)"} {}
  void open() { holder_.rollback(); }

 private:
  Transaction holder_;
};

}  // namespace outbox::test
