// The doctor on what connections must be able to do, and on clocks.
#include "store/doctor_check.hpp"
#include "store/doctor_judge.hpp"
#include "store/sleep.hpp"

namespace outbox::store::doctor {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr pg::Statement kClock{"doctor_clock", R"(/* outbox:doctor_clock */
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"};

// A scan: the table has one row for each processor of late.
constexpr pg::Statement kAhead{"doctor_ahead", R"(/* outbox:doctor_ahead */
SELECT p.id, p.name, extract(epoch FROM p.heartbeat_at - clock_timestamp())::float8
  FROM outbox.processors p
 WHERE p.dead_at IS NULL AND p.heartbeat_at > clock_timestamp() + interval '1 second'
 ORDER BY p.id LIMIT 20)"};

constexpr pg::Statement kName{"doctor_name", R"(/* outbox:doctor_name */
SELECT 'outbox_doctor_' || pg_backend_pid())"};

constexpr pg::Statement kNotify{"doctor_notify", R"(/* outbox:doctor_notify */
SELECT pg_notify($1, ''))"};

// A class of its own, so that no lock of a processor is ever touched.
constexpr pg::Statement kLock{"doctor_lock", R"(/* outbox:doctor_lock */
SELECT pg_try_advisory_lock(7306809, $1::int))"};

constexpr pg::Statement kUnlockOwn{"doctor_unlock", R"(/* outbox:doctor_unlock */
SELECT pg_advisory_unlock(7306809, $1::int))"};

constexpr std::chrono::milliseconds kPatience{5'000};
constexpr int kClockReads = 5;

}  // namespace

Findings check_clock(Checkup& checkup) {
  microseconds best_trip = microseconds::max();
  microseconds skew{0};
  for (int i = 0; i < kClockReads; ++i) {
    // Not ask(): its transaction would be part of the round trip.
    const auto begin = system_clock::now();
    const auto started = steady_clock::now();
    const auto rows = checkup.database.session().run(kClock);
    const auto trip = duration_cast<microseconds>(steady_clock::now() - started);
    if (trip >= best_trip) continue;
    best_trip = trip;
    const auto middle = duration_cast<microseconds>(begin.time_since_epoch()) + trip / 2;
    skew = microseconds{rows[0][0].as<std::int64_t>()} - middle;
  }
  return {judge_clock(skew, best_trip)};
}

Findings check_heartbeats(Checkup& checkup) {
  Findings out;
  for (const auto& row : ask(checkup.database, kAhead)) {
    out.push_back(warning(
        "heartbeats",
        "the last heartbeat of processor " + pg::text(row[0]) + " (" + pg::text(row[1]) +
            ") lies " + std::to_string(static_cast<std::int64_t>(row[2].as<double>())) +
            " s in the future",
        "heartbeats are written by the server's clock, so it has jumped back (a failover to a "
        "machine that is behind, or somebody set it): until it has caught up, a silent processor "
        "is "
        "not found dead, and jobs come late by as much",
        "on the server: chronyc tracking, or timedatectl timesync-status; it passes by itself"));
  }
  return or_ok(std::move(out), "heartbeats", "no heartbeat lies in the future");
}

Findings check_pooler(Checkup& checkup) {
  if (!checkup.database.pooled()) return {ok("pooler", "none in between")};
  return {warning(
      "pooler", "a pooler stands between; transaction pooling is assumed",
      "no LISTEN: jobs are found by polling; no session locks: a dead processor is noticed by its "
      "late heartbeat only; no session settings: plans and time limits are those of the pool's "
      "sessions; sql handlers are parsed for each job; outboxd migrate refuses",
      "name the server itself in the URL of processors, of migrate and of doctor (a processor "
      "needs "
      "few connections); producers may stay with the pooler")};
}

Findings check_notify(Checkup& checkup) {
  if (checkup.database.pooled()) {
    return {skipped("notify", "LISTEN does not work through a pooler",
                    "run doctor with the server's own address")};
  }
  const auto channel = pg::text(ask(checkup.database, kName)[0][0]);
  auto listener = checkup.open(Use::people);
  listener.session().listen(channel);
  const auto started = steady_clock::now();
  ask(checkup.database, kNotify, channel);
  if (wait_for_notification(listener, -1, kPatience).by != Woken::notified) {
    return {
        problem("notify", "a notification did not arrive within 5 s",
                "sleeping processors are not woken: jobs wait for the poll interval",
                "SELECT pg_notification_queue_usage(); -- near 1: a session that listens and stays "
                "in a transaction fills it, see the check transactions")};
  }
  const auto took = duration_cast<microseconds>(steady_clock::now() - started);
  return {ok("notify", "a notification arrives after " + milliseconds_text(took))};
}

Findings check_locks(Checkup& checkup) {
  if (checkup.database.pooled()) {
    return {skipped("locks", "session locks do not work through a pooler",
                    "run doctor with the server's own address")};
  }
  const int key = checkup.database.backend_pid();
  const bool taken = ask(checkup.database, kLock, key)[0][0].as<bool>();
  auto other = checkup.open(Use::people);
  const bool shared = ask(other, kLock, key)[0][0].as<bool>();
  const bool released = ask(checkup.database, kUnlockOwn, key)[0][0].as<bool>();
  if (taken && !shared && released)
    return {ok("locks", "advisory locks exclude other sessions, and can be released")};
  return {
      problem("locks", "a session's advisory lock does not hold",
              "processors prove with one that they are alive, and migrations that they are alone",
              "name the server itself in the URL: something in between hands sessions around")};
}

}  // namespace outbox::store::doctor
