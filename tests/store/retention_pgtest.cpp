// Retention: what is past it goes, what is not stays, and nothing waits for long.
#include <algorithm>

#include <boost/test/unit_test.hpp>

#include "store/retention.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"

namespace retention_pgtest {

using namespace outbox;
using test::TestDatabase;

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database database{db.options(), "test", store::Use::chores};

  Fixture() { static_cast<void>(truncate_all()); }  // pages of earlier cases

  std::vector<int> truncate_all() {
    std::vector<int> truncated;
    for (const int slot : store::expired_slots(database))
      if (store::truncate_slot(database, slot)) truncated.push_back(slot);
    return truncated;
  }
  /// One job that finished at noon so many days ago, in the slot of its day; ids are the days.
  void finished(int days_ago, const std::string& queue = "default") {
    db.exec(
        "INSERT INTO outbox.finished_jobs (slot, priority, attempt, crashes, processor_id, id, "
        "created_at, run_at, started_at,"
        " finished_at, queue, kind, payload) SELECT outbox.day_slot(at), 1, 1, 0, 7, " +
        std::to_string(days_ago) + ", at, at, at, at, '" + queue +
        "', 'k', '{}' FROM (SELECT date_trunc('day', clock_timestamp(), 'UTC') + interval '12 h' "
        "- " +
        std::to_string(days_ago) + " * interval '1 day' AS at) a");
  }
  std::string kept() {
    return db.value(
        "SELECT string_agg(CASE queue WHEN 'default' THEN '' ELSE queue END || id, ' ' ORDER BY "
        "queue, id) FROM outbox.finished_jobs");
  }
  void queue(const std::string& name, int days) {
    db.exec("INSERT INTO outbox.queues (name, retention_days) VALUES ('" + name + "', " +
            std::to_string(days) +
            ") ON CONFLICT (name) DO UPDATE SET retention_days = excluded.retention_days");
  }
  std::int64_t trim_all() {
    std::int64_t rows = 0;
    for (const auto& day : store::expired_days(database))
      rows += store::trim_history(database, day, 1'000);
    return rows;
  }
  int slot(int days_ago) {
    return static_cast<int>(db.number(
        "SELECT outbox.day_slot(date_trunc('day', clock_timestamp(), 'UTC') + interval '12 h' - " +
        std::to_string(days_ago) + " * interval '1 day')"));
  }
};

}  // namespace retention_pgtest

BOOST_FIXTURE_TEST_SUITE(retention_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(the_settings_of_queues_are_saved_and_a_pause_is_left_as_it_is) {
  db.exec(
      "INSERT INTO outbox.queues (name, paused_at, updated_at) VALUES ('mail', '2026-01-01', "
      "'2020-01-01'), "
      "('same', NULL, '2020-01-01')");
  core::QueueOptions mail;
  mail.history = false;
  mail.retention_days = 3;
  store::save_queues(database, {{"mail", mail}, {"new \"one\"", {}}, {"same", {}}});
  BOOST_TEST(
      db.value("SELECT string_agg(concat_ws(' ', name, paused_at IS NOT NULL, history, "
               "retention_days, updated_at > '2021-01-01'), "
               "', ' ORDER BY name) FROM outbox.queues") ==
      "mail t f 3 t, new \"one\" f t 14 t, same f t 14 f");  // what did not change is not written
}

BOOST_AUTO_TEST_CASE(slots_past_the_longest_retention_are_truncated_and_no_others) {
  for (const int day : {0, 1, 13, 14, 15, 16, 30}) finished(day);
  const auto truncated = truncate_all();
  BOOST_TEST(truncated.size() == 3U);
  for (const int day : {15, 16, 30})
    BOOST_TEST((std::find(truncated.begin(), truncated.end(), slot(day)) != truncated.end()));
  BOOST_TEST(kept() == "0 1 13 14");
  BOOST_TEST(truncate_all().empty());  // empty slots are not truncated again
}

BOOST_AUTO_TEST_CASE(a_queue_that_keeps_longer_keeps_the_slots_of_all) {
  queue("mail", 30);
  for (const int day : {0, 29, 30, 31}) finished(day);
  BOOST_TEST(truncate_all().size() == 1U);
  BOOST_TEST(kept() == "0 29 30");
}

BOOST_AUTO_TEST_CASE(a_queue_that_keeps_shorter_is_trimmed_day_by_day) {
  queue("short", 2);
  queue("long", 20);
  for (const std::string name : {"short", "long", "default"}) {
    for (const int day : {0, 1, 2, 3, 4, 15, 20}) finished(day, name);
  }
  BOOST_TEST(truncate_all().empty());
  BOOST_TEST(trim_all() == 4);
  BOOST_TEST(kept() ==
             "0 1 2 3 4 15 20 long0 long1 long2 long3 long4 long15 long20 short0 short1 short2");
  BOOST_TEST(trim_all() == 0);
}

BOOST_AUTO_TEST_CASE(trimming_is_bounded) {
  queue("short", 1);
  for (int i = 0; i < 5; ++i) finished(3, "short");
  for (const auto& day : store::expired_days(database)) {
    if (day.queue != "short") continue;
    BOOST_TEST(store::trim_history(database, day, 3) <= 3);
  }
  BOOST_TEST(db.number("SELECT count(*) FROM outbox.finished_jobs") == 2);
}

BOOST_AUTO_TEST_CASE(rows_of_the_month_before_are_trimmed_out_of_todays_slot) {
  finished(0);
  finished(32);
  BOOST_TEST(slot(0) == slot(32));
  BOOST_TEST(truncate_all().empty());
  BOOST_TEST(trim_all() == 1);
  BOOST_TEST(kept() == "0");
}

BOOST_AUTO_TEST_CASE(a_slot_that_somebody_reads_is_not_waited_for_for_long) {
  finished(20);
  const test::Transaction reader{db, "SELECT FROM outbox.finished_jobs"};
  BOOST_CHECK_EXCEPTION(static_cast<void>(truncate_all()), core::DbError,
                        [](const core::DbError& e) { return e.fault() == core::Fault::busy; });
  BOOST_TEST(kept() == "20");
}

BOOST_AUTO_TEST_CASE(a_slot_that_is_in_use_again_is_not_truncated) {
  finished(0);
  BOOST_TEST(!store::truncate_slot(database, slot(0)));
  BOOST_TEST(kept() == "0");
}

BOOST_AUTO_TEST_CASE(a_day_ends_at_midnight_and_not_before) {
  BOOST_TEST(db.value("SELECT concat_ws(' ', outbox.day_slot('2026-03-01 23:59:59.999999+00'), "
                      "outbox.day_slot('2026-03-02 00:00:00+00'))") == "1 2");
}

BOOST_AUTO_TEST_CASE(old_dead_letters_are_pruned_oldest_first_within_a_bound) {
  db.exec(
      R"(INSERT INTO outbox.dead_jobs (id, created_at, run_at, died_at, priority, attempt, max_attempts, crashes, reason, queue, kind, payload)
    SELECT d, now(), now(), clock_timestamp() - d * interval '1 day', 1, 1, 1, 0, 'attempts', 'default', 'k', '{}'
      FROM unnest('{1,89,91,92,93}'::int[]) d)");
  {
    const test::Transaction retrying{db, "SELECT FROM outbox.dead_jobs WHERE id = 93 FOR UPDATE"};
    BOOST_TEST(store::prune_dead(database, 90, 1) == 1);
    BOOST_TEST(db.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM outbox.dead_jobs") ==
               "1 89 91 93");
  }
  BOOST_TEST(store::prune_dead(database, 90, 100) == 2);
  BOOST_TEST(db.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM outbox.dead_jobs") ==
             "1 89");
}

BOOST_AUTO_TEST_CASE(old_failures_are_pruned_unless_their_job_lives_or_is_dead) {
  db.exec(R"(
    INSERT INTO outbox.jobs (kind) VALUES ('k');
    INSERT INTO outbox.dead_jobs (id, created_at, run_at, priority, attempt, max_attempts, crashes, reason, queue, kind, payload)
      VALUES (2, now(), now(), 1, 1, 1, 0, 'attempts', 'default', 'k', '{}');
    INSERT INTO outbox.job_failures (job_id, failed_at, processor_id, attempt, reason, queue, kind, error)
      SELECT j, clock_timestamp() - d * interval '1 day', 7, 1, 'error', 'default', 'k', 'x' FROM unnest('{1,2,3}'::int[]) j, unnest('{1,91,92}'::int[]) d)");
  BOOST_TEST(store::prune_failures(database, 90, 1) == 1);
  BOOST_TEST(store::prune_failures(database, 90, 100) == 1);
  BOOST_TEST(store::prune_failures(database, 90, 100) == 0);
  BOOST_TEST(
      db.value("SELECT string_agg(job_id || ' ' || n, ', ' ORDER BY job_id) FROM "
               "(SELECT job_id, count(*) AS n FROM outbox.job_failures GROUP BY job_id) f") ==
      "1 3, 2 3, 3 1");
}

BOOST_AUTO_TEST_SUITE_END()
