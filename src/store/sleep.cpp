// SQL of sleeping. Lock class 7306801: objects 0 to 15 are the stripes that producers share (by
// backend pid), 100 is the leader's, 101 is shared by the followers.
#include "store/sleep.hpp"

#include <optional>
#include <poll.h>

#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// The leader's lock serialises those who try, so that a half-taken set of stripes is never mistaken
// for a sleeper.
constexpr pg::Statement kLead{"lead", R"(/* outbox:lead */
SELECT pg_try_advisory_lock(7306801, 100))"};

constexpr pg::Statement kTakeStripes{"take_stripes", R"(/* outbox:take_stripes */
SELECT count(*) FILTER (WHERE pg_try_advisory_lock(7306801, s)) FROM generate_series(0, 15) s)"};

// Before the look at the stripes: either that sees that they are free, or who frees them sees this.
constexpr pg::Statement kFollow{"follow", R"(/* outbox:follow */
SELECT pg_try_advisory_lock_shared(7306801, 101))"};

// A shared lock that is refused on every stripe means that the leader holds them all; what was
// granted is dropped at once.
constexpr pg::Statement kFreeStripes{"free_stripes", R"(/* outbox:free_stripes */
SELECT count(*) FILTER (WHERE pg_try_advisory_xact_lock_shared(7306801, s)) FROM generate_series(0, 15) s)"};

constexpr pg::Statement kUnlock{"unlock", R"(/* outbox:unlock */
SELECT pg_advisory_unlock_all())"};

// First the locks, then the look for followers, in the order of the columns: a follower that looks
// in between finds the job, or an open producer, or takes the locks itself.
constexpr pg::Statement kLetGo{"let_go", R"(/* outbox:let_go */
SELECT pg_advisory_unlock_all(), CASE WHEN NOT pg_try_advisory_xact_lock(7306801, 101) THEN pg_notify('outbox', '') END)"};

constexpr int kStripes = 16;

// The trigger of the ledger and the functions that pause and resume kinds say so in the payload.
constexpr const char* kSchemaNews = "schema";
constexpr const char* kKindsNews = "kinds";

std::optional<Waited> news(pg::Session& session) {
  const auto words = session.take_notifications();
  if (!words) return std::nullopt;
  return Waited{.by = Woken::notified,
                .schema = words->count(kSchemaNews) > 0,
                .kinds = words->count(kKindsNews) > 0};
}

}  // namespace

void listen(Database& database) { database.session().listen("outbox", {kSchemaNews, kKindsNews}); }

Sleep fall_asleep(Database& database) {
  auto& session = database.session();
  if (session.run(kLead)[0][0].as<bool>()) {
    if (session.run(kTakeStripes)[0][0].as<int>() == kStripes) return Sleep::leader;
    session.run(kLetGo);
    return Sleep::awake;
  }
  if (session.run(kFollow)[0][0].as<bool>() && session.run(kFreeStripes)[0][0].as<int>() == 0)
    return Sleep::follower;
  session.run(kUnlock);
  return Sleep::awake;
}

void wake_up(Database& database, Sleep sleep) {
  if (sleep == Sleep::awake) return;
  database.session().run(sleep == Sleep::leader ? kLetGo : kUnlock);
}

void tell_everybody(Database& database) { database.session().run_script("NOTIFY outbox"); }

Waited wait_for_notification(Database& database, int descriptor, std::chrono::milliseconds most) {
  auto& session = database.session();
  // A notification may have come with the answer of the last statement.
  if (const auto heard = news(session)) return *heard;
  pollfd waits[2] = {{session.socket(), POLLIN, 0}, {descriptor, POLLIN, 0}};
  const int ready = ::poll(waits, 2, static_cast<int>(most.count()));
  if (ready <= 0) return {Woken::timeout};
  if (waits[0].revents != 0) {
    if (const auto heard = news(session)) return *heard;
  }
  return {waits[1].revents != 0 ? Woken::by_descriptor : Woken::timeout};
}

std::vector<pg::Statement> sleep_statements() {
  return {kLead, kTakeStripes, kFollow, kFreeStripes, kUnlock, kLetGo};
}

}  // namespace outbox::store
