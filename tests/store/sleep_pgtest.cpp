// Falling asleep and being woken: who sleeps how, who is told, and that no wake-up is lost.
#include <atomic>
#include <barrier>
#include <random>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <pqxx/pqxx>

#include "pg/session.hpp"
#include "store/sleep.hpp"
#include "support/actor.hpp"
#include "support/database.hpp"
#include "support/emptied.hpp"

namespace sleep_pgtest {

using namespace outbox;
using std::chrono::milliseconds;
using store::Sleep;
using store::Woken;
using test::TestDatabase;

constexpr const char* kInsert = "INSERT INTO outbox.jobs (kind) VALUES ('k')";
constexpr pg::Statement kLinger{"test_linger", "SELECT pg_sleep($1::float8)"};
constexpr pg::Statement kCount{"test_count", "SELECT count(*) FROM outbox.jobs"};

/// A descriptor that never becomes readable unless it is told to.
struct Bell {
  Bell() = default;
  ~Bell() { ::close(fd); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  void ring() const { ::eventfd_write(fd, 1); }
  int fd{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

/// Counts notifications on a connection of its own.
class Ear {
 public:
  explicit Ear(TestDatabase& db) : db_{db}, connection_{db.url()}, receiver_{connection_} {}

  /// How many came since the last call. A probe follows them on the same way, so that nothing is
  /// waited for in vain.
  int heard() {
    db_.exec("NOTIFY outbox, 'probe'");
    while (!receiver_.probed) BOOST_REQUIRE(connection_.await_notification(10, 0) > 0);
    receiver_.probed = false;
    return std::exchange(receiver_.count, 0);
  }

 private:
  struct Receiver : pqxx::notification_receiver {
    explicit Receiver(pqxx::connection& connection) : notification_receiver{connection, "outbox"} {}
    void operator()(const std::string& payload, int /*backend*/) override {
      payload == "probe" ? static_cast<void>(probed = true) : static_cast<void>(++count);
    }
    bool probed{false};
    int count{0};
  };
  TestDatabase& db_;
  pqxx::connection connection_;
  Receiver receiver_;
};

struct Fixture {
  TestDatabase& db = test::emptied_database();
  store::Database a{db.options(), "a", store::Use::people};
  store::Database b{db.options(), "b", store::Use::people};
  Ear ear{db};
  Bell bell;

  Fixture() {
    store::listen(a);
    store::listen(b);
  }
  std::int64_t locks(store::Database& database) {
    return db.number(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = " +
        std::to_string(database.backend_pid()));
  }
  Woken wait(store::Database& database, milliseconds most) {
    return store::wait_for_notification(database, bell.fd, most).by;
  }
};

}  // namespace sleep_pgtest

BOOST_FIXTURE_TEST_SUITE(sleep_pgtest, Fixture)

BOOST_AUTO_TEST_CASE(an_insert_notifies_only_while_somebody_sleeps) {
  db.exec(kInsert);
  BOOST_TEST(ear.heard() == 0);
  BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
  db.exec(kInsert);
  BOOST_TEST(ear.heard() == 1);
  db.exec("INSERT INTO outbox.jobs (kind) SELECT 'k' FROM generate_series(1, 100)");
  BOOST_TEST(ear.heard() == 1);  // a statement, not a row
  store::wake_up(a, Sleep::leader);
  BOOST_TEST(ear.heard() == 0);  // there is no follower
  BOOST_TEST(locks(a) == 0);
  db.exec(kInsert);
  BOOST_TEST(ear.heard() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_rolled_back_wakes_nobody) {
  BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
  test::Transaction producer{db, kInsert};
  producer.rollback();
  BOOST_TEST(ear.heard() == 0);
}

BOOST_AUTO_TEST_CASE(an_open_transaction_of_a_producer_keeps_everybody_awake_until_it_ends) {
  for (int i = 0; i < 2; ++i) {
    test::Transaction producer{db, kInsert};
    BOOST_TEST((store::fall_asleep(a) == Sleep::awake));
    BOOST_TEST(locks(a) == 0);
    BOOST_TEST((store::fall_asleep(b) == Sleep::awake));
    i == 0 ? producer.commit() : producer.rollback();
    BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
    store::wake_up(a, Sleep::leader);
  }
}

BOOST_AUTO_TEST_CASE(a_savepoint_that_is_rolled_back_counts_no_more) {
  test::Transaction producer{db, std::string{"SAVEPOINT s; "} + kInsert + "; ROLLBACK TO s"};
  BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
  producer.exec(kInsert);
  producer.commit();
  BOOST_TEST(ear.heard() == 1);
}

BOOST_AUTO_TEST_CASE(one_leads_and_the_others_follow) {
  BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
  BOOST_TEST((store::fall_asleep(b) == Sleep::follower));
  db.exec(kInsert);
  BOOST_TEST((wait(a, milliseconds{10'000}) == Woken::notified));
  BOOST_TEST((wait(b, milliseconds{10'000}) == Woken::notified));
  store::wake_up(b, Sleep::follower);
  BOOST_TEST(locks(b) == 0);
  BOOST_TEST(ear.heard() == 1);  // the insert's; a follower tells nobody
}

BOOST_AUTO_TEST_CASE(a_leader_that_wakes_tells_the_followers_after_it_let_go_and_not_itself) {
  BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
  BOOST_TEST((store::fall_asleep(b) == Sleep::follower));
  store::wake_up(a, Sleep::leader);
  BOOST_TEST(ear.heard() == 1);
  BOOST_TEST(locks(a) == 0);
  BOOST_TEST((wait(b, milliseconds{10'000}) == Woken::notified));
  while (wait(a, milliseconds{1}) == Woken::notified) continue;  // probes of the ear
  store::wake_up(b, Sleep::follower);
  BOOST_TEST((store::fall_asleep(b) == Sleep::leader));
}

// A follower that was notified sooner than its leader, and fell asleep again before that one let
// go, would rely on locks that are gone: the leader tells it.
BOOST_AUTO_TEST_CASE(a_follower_that_falls_asleep_again_before_its_leader_wakes_is_told) {
  BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
  BOOST_TEST((store::fall_asleep(b) == Sleep::follower));
  db.exec(kInsert);
  BOOST_TEST((wait(b, milliseconds{10'000}) == Woken::notified));
  store::wake_up(b, Sleep::follower);
  BOOST_TEST((store::fall_asleep(b) == Sleep::follower));
  BOOST_TEST((wait(a, milliseconds{10'000}) == Woken::notified));
  store::wake_up(a, Sleep::leader);
  BOOST_TEST((wait(b, milliseconds{10'000}) == Woken::notified));
}

BOOST_AUTO_TEST_CASE(who_cannot_sleep_leaves_nothing_behind_and_tells_who_took_it_for_a_leader) {
  BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
  BOOST_TEST((store::fall_asleep(b) == Sleep::follower));
  db.exec("SELECT pg_terminate_backend(" + std::to_string(a.backend_pid()) + ", 10000)");
  const test::Transaction producer{db, kInsert};
  store::Database third{db.options(), "c", store::Use::people};
  BOOST_TEST((store::fall_asleep(third) == Sleep::awake));
  BOOST_TEST(locks(third) == 0);
  BOOST_TEST((wait(b, milliseconds{10'000}) == Woken::notified));
}

BOOST_AUTO_TEST_CASE(a_leader_that_is_killed_leaves_the_lead_to_others) {
  BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
  db.exec("SELECT pg_terminate_backend(" + std::to_string(a.backend_pid()) + ", 10000)");
  BOOST_TEST((store::fall_asleep(b) == Sleep::leader));
  BOOST_CHECK_EXCEPTION(static_cast<void>(wait(a, milliseconds{10'000})), core::DbError,
                        [](const core::DbError& e) { return e.session_lost(); });
}

BOOST_AUTO_TEST_CASE(making_a_job_claimable_by_other_means_can_be_told) {
  db.exec("SELECT outbox.wake()");
  BOOST_TEST(ear.heard() == 0);
  store::tell_everybody(b);
  BOOST_TEST(ear.heard() == 1);
  BOOST_TEST((wait(b, milliseconds{10'000}) == Woken::notified));
  BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
  db.exec("SELECT outbox.wake()");
  BOOST_TEST(ear.heard() == 1);
}

BOOST_AUTO_TEST_CASE(a_wait_ends_by_the_bell_or_the_time) {
  BOOST_TEST((wait(a, milliseconds{1}) == Woken::timeout));
  bell.ring();
  BOOST_TEST((wait(a, milliseconds{10'000}) == Woken::by_descriptor));
  db.exec("NOTIFY outbox");
  BOOST_TEST((wait(a, milliseconds{10'000}) != Woken::timeout));
}

BOOST_AUTO_TEST_CASE(what_is_told_together_is_heard_together) {
  BOOST_TEST((store::fall_asleep(a) == Sleep::leader));
  const auto told = [&](const std::string& sql) {
    db.exec(sql);
    const auto heard = store::wait_for_notification(a, bell.fd, milliseconds{10'000});
    BOOST_TEST((heard.by == Woken::notified));
    return std::pair{heard.schema, heard.kinds};
  };
  BOOST_TEST((told(kInsert) == std::pair{false, false}));
  BOOST_TEST((told("NOTIFY outbox, 'schema'") == std::pair{true, false}));
  BOOST_TEST((told("SELECT outbox.pause_kind('k')") == std::pair{false, true}));
  BOOST_TEST((told("SELECT outbox.resume_kind('k')") == std::pair{false, true}));
  BOOST_TEST((told("NOTIFY outbox, 'other words'") == std::pair{false, false}));
  BOOST_TEST((told(std::string{"NOTIFY outbox, 'schema'; NOTIFY outbox, 'kinds'; "} + kInsert) ==
              std::pair{true, true}));
  store::wake_up(a, Sleep::leader);
}

// Rounds of a few inserts by several producers at random moments around the falling asleep, one in
// four with a transaction that stays open a little; two sleepers, one time in three waking by
// themselves. Then nobody inserts any more until both have seen all: a wake-up that were lost would
// leave one asleep until the limit.
BOOST_AUTO_TEST_CASE(no_wake_up_is_lost_whenever_a_sleeper_rests) {
  constexpr int kProducers = 3;
  constexpr int kRounds = 120;
  constexpr int kEach = 2;
  std::barrier round{kProducers + 2};
  const auto produce = [&round](store::Database& mine, unsigned seed) {
    std::minstd_rand random{seed + 1};
    const auto linger = [&](unsigned most_us) {
      mine.session().run(kLinger, static_cast<double>(random() % most_us) / 1e6);
    };
    for (int i = 0; i < kRounds; ++i) {
      for (int n = 0; n < kEach; ++n) {
        linger(1'000);
        mine.session().transact([&](pqxx::work& tx) {
          tx.exec(kInsert);
          if (random() % 4 == 0)
            mine.session().call(tx, kLinger, static_cast<double>(random() % 1'500) / 1e6);
        });
      }
      round.arrive_and_wait();  // all is committed
      round.arrive_and_wait();  // all was seen
    }
  };
  struct Count {
    int lost{};
    int rests{};
  };
  const auto sleep_and_wake = [&round](store::Database& mine, unsigned seed) {
    std::minstd_rand random{seed + 77};
    const Bell silent;
    Count count;
    for (int i = 1; i <= kRounds; ++i) {
      auto arrived = std::async(std::launch::async, [&] { round.arrive_and_wait(); });
      for (std::int64_t seen = 0; seen < std::int64_t{i} * kProducers * kEach;) {
        const auto sleep = store::fall_asleep(mine);
        seen = mine.session().run(kCount)[0][0].as<std::int64_t>();  // the confirming look
        if (sleep == Sleep::awake) continue;
        if (seen < std::int64_t{i} * kProducers * kEach) {
          ++count.rests;
          const bool by_itself = random() % 3 == 0;
          const milliseconds most{by_itself ? 1 : 3'000};
          const auto woken = store::wait_for_notification(mine, silent.fd, most).by;
          if (woken != Woken::notified && !by_itself) ++count.lost;
        }
        store::wake_up(mine, sleep);
      }
      arrived.get();
      round.arrive_and_wait();
    }
    return count;
  };
  std::vector<std::future<void>> producers;
  for (unsigned seed = 0; seed < kProducers; ++seed)
    producers.push_back(test::in_background(db, store::Use::people,
                                            [=](store::Database& mine) { produce(mine, seed); }));
  auto other = std::async(std::launch::async, [&] { return sleep_and_wake(b, 1); });
  const auto one = sleep_and_wake(a, 0);
  const auto two = other.get();
  for (auto& producer : producers) producer.get();
  BOOST_TEST(one.lost == 0);
  BOOST_TEST(two.lost == 0);
  BOOST_TEST(one.rests + two.rests > kRounds);
}

BOOST_AUTO_TEST_SUITE_END()
