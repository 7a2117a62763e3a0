// What the benchmark asks of the database: a queue and a schema of its own, jobs in bulk, counters.
// On a `people` connection. Throws core::DbError.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/database.hpp"

namespace outbox::store {

/// The only queue whose jobs the benchmark inserts, runs and removes.
inline constexpr const char* kBenchQueue = "outbox_bench";
/// Claims what no engine does: no processor has this id, so nothing is rescued from it.
inline constexpr int kBenchNobody = 2'147'483'647;

/// Whether there are jobs of other queues, a processor that is alive, another benchmark.
struct Bystanders {
  bool jobs{};
  bool processors{};
  bool benchmark{};
};
/// Also keeps other benchmarks away as long as `database` lives.
[[nodiscard]] Bystanders bench_bystanders(Database& database);

/// Cleans, and makes schema outbox_bench with the table that handlers write to and the function
/// that does.
void bench_prepare(Database& database);

/// Removes the schema and every trace of the queue. Truncates `jobs` instead of deleting from it
/// when nothing else is there.
void bench_clean(Database& database);

/// What to insert: `fail_every` n makes the first attempt of every n-th job fail; 0: none.
struct BenchJobs {
  std::string kind;
  std::int64_t count{};
  std::int64_t fail_every{};
  std::int64_t delay_seconds{};
};
void bench_fill(Database& database, const BenchJobs& jobs);

/// VACUUM (ANALYZE) of `jobs`, so that runs begin alike.
void bench_settle(Database& database);

/// Whether inserts into `jobs` fire the wake-up trigger.
void bench_trigger(Database& database, bool enabled);

/// Counters of the server and of the database; differences are what counts. Statistics of other
/// sessions arrive up to a second late, or when those end.
struct BenchCounters {
  std::int64_t wal_bytes{};
  std::int64_t commits{};
  std::int64_t updates{};
  std::int64_t hot_updates{};
  std::int64_t dead_rows{};
  std::int64_t table_bytes{};
};
[[nodiscard]] BenchCounters bench_counters(Database& database);

/// Jobs of the queue, exactly; rows in the table of effects, and different jobs among them.
struct BenchState {
  std::int64_t live{};
  std::int64_t effects{};
  std::int64_t effect_jobs{};
};
[[nodiscard]] BenchState bench_state(Database& database);

/// Opens a snapshot and keeps it: nothing that dies from now on can be vacuumed while this lives.
class PinnedSnapshot {
 public:
  explicit PinnedSnapshot(const core::DatabaseOptions& options);

 private:
  Database database_;
};

/// One producer's connection: prepared single-row inserts, each its own transaction.
class BenchProducer {
 public:
  /// `commit_delay_us` above 0 makes its commits wait so long, which needs a superuser.
  BenchProducer(const core::DatabaseOptions& options, int commit_delay_us);
  void insert(const std::string& kind);
  /// `count` jobs in one transaction.
  void insert_many(const std::string& kind, std::int64_t count);
  /// One job whose payload says when: for bench_latencies().
  void insert_stamped(const std::string& kind);

 private:
  Database database_;
};

/// Milliseconds from the stamp that a producer put into the payload, just before its INSERT, to the
/// handler's start, of every effect; by the clock of the one machine.
[[nodiscard]] std::vector<double> bench_latencies(Database& database);

}  // namespace outbox::store
