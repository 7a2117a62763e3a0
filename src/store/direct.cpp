// SQL of the direct lane: exactly once, one round trip, nothing to rescue: a crash anywhere rolls
// the whole group back.
#include "store/direct.hpp"

#include <algorithm>

#include "observe/fault_point.hpp"
#include "pg/array.hpp"
#include "pg/session.hpp"
#include "store/statements.hpp"

namespace outbox::store {

namespace {

// The work is done by the function, with an index, locks and reasons told there (migration 0003). A
// function scan: nothing to flip.
constexpr pg::Statement kDirect{"direct", R"(/* outbox:direct */
SELECT g.id, g.k, g.outcome, g.attempt, g.waited_us, g.ran_us, g.delay_ms, g.reason, g.state, g.message, g.priority, g.run_at_us
  FROM outbox.run_group($1::text, $2::int, $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::int[], $9::bigint[],
                        $10::float8[], $11::bigint[], $12::float8[], $13::int, $14::boolean, $15::text[], $16::text[]) AS g)"};

DirectOutcome outcome_from(const char* text) {
  switch (text[0]) {
    case 'd':
      return text[1] == 'o' ? DirectOutcome::done : DirectOutcome::dead;
    case 's':
      return DirectOutcome::snooze;
    default:
      return DirectOutcome::retry;
  }
}

template <class PqxxRow>
DirectJob read(const PqxxRow& row) {
  DirectJob job;
  job.id = row[0].template as<std::int64_t>();
  job.kind = row[1].template as<std::size_t>() - 1;
  job.outcome = outcome_from(row[2].c_str());
  job.attempt = row[3].template as<int>();
  job.waited = core::microseconds{row[4].template as<std::int64_t>()};
  job.ran = core::microseconds{row[5].template as<std::int64_t>()};
  if (job.outcome == DirectOutcome::done) return job;
  job.delay = core::milliseconds{row[6].is_null() ? 0 : row[6].template as<std::int64_t>()};
  job.reason = pg::text(row[7]);
  job.sqlstate = pg::text(row[8]);
  job.error = pg::text(row[9]);
  return job;
}

}  // namespace

DirectKinds::DirectKinds(std::vector<DirectKind> kinds) : kinds_{std::move(kinds)} {
  std::vector<std::string> names;
  std::vector<std::string> statements;
  std::vector<std::string> roles;
  std::vector<std::int64_t> numbers;
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> cap;
  std::vector<double> factor;
  std::vector<double> jitter;
  for (const auto& kind : kinds_) {
    names.push_back(kind.kind);
    statements.push_back(kind.body.statement);
    roles.push_back(kind.body.role);
    numbers.push_back(kind.body.number);
    if (kind.body.calls) calls_ = kind.body.calls;
    first.push_back(kind.backoff.first.count());
    cap.push_back(kind.backoff.cap.count());
    factor.push_back(kind.backoff.factor);
    jitter.push_back(kind.backoff.jitter);
  }
  names_ = pg::text_array(names);
  statements_ = pg::text_array(statements);
  roles_ = pg::text_array(roles, pg::Empty::is_null);
  numbers_ = pg::int_array(numbers);
  no_numbers_ = pg::int_array(std::vector<std::int64_t>(numbers.size(), 0));
  first_ms_ = pg::int_array(first);
  factors_ = pg::double_array(factor);
  cap_ms_ = pg::int_array(cap);
  jitters_ = pg::double_array(jitter);
}

const std::string& DirectKinds::numbers(Database& database) const {
  return calls_ && calls_->ready(database) ? numbers_ : no_numbers_;
}

core::milliseconds DirectKinds::shortest_timeout() const {
  const auto shortest =
      std::min_element(kinds_.begin(), kinds_.end(),
                       [](const auto& a, const auto& b) { return a.timeout < b.timeout; });
  return shortest == kinds_.end() ? core::milliseconds{0} : shortest->timeout;
}

void limit_groups(Database& database, core::milliseconds most) {
  if (database.pooled()) return;  // it would stay on a connection that others use
  database.session().limit_statements(most);
}

std::vector<DirectJob> run_group(Database& database, const DirectRequest& request,
                                 const DirectKinds& kinds, From from, Cursor& cursor) {
  const auto& own = database.session().own_settings();
  observe::fault_point("group.before", database.socket());
  const auto result = database.session().run(
      kDirect, request.queue, request.processor, cursor.run_at_array(from), cursor.id_array(from),
      kinds.names_, kinds.statements_, kinds.roles_, kinds.numbers(database), kinds.first_ms_,
      kinds.factors_, kinds.cap_ms_, kinds.jitters_, request.most, request.history, own.names,
      own.values);
  observe::fault_point("group.after", database.socket());
  std::vector<DirectJob> out;
  std::vector<std::pair<int, Cursor::Place>> places;
  out.reserve(pg::count(result));
  places.reserve(pg::count(result));
  for (const auto& row : result) {
    out.push_back(read(row));
    places.push_back(
        {row[10].template as<int>(), {row[11].template as<std::int64_t>(), out.back().id}});
  }
  cursor.found(places, from, request.most);
  return out;
}

std::vector<pg::Statement> direct_statements() { return {kDirect}; }

}  // namespace outbox::store
