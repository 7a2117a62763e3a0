// Connecting, and the settings that every session of outboxd has.
#include "pg/session.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "core/conninfo.hpp"

namespace outbox::pg {

namespace {

/// What keeps the plans of the hot statements as they are, whatever the statistics say.
constexpr std::array<std::pair<const char*, const char*>, 8> kFixedPlans{
    {{"enable_seqscan", "off"},
     {"enable_sort", "off"},
     {"enable_bitmapscan", "off"},
     {"enable_hashjoin", "off"},
     {"enable_mergejoin", "off"},
     {"enable_material", "off"},
     {"jit", "off"},
     {"plan_cache_mode", "force_generic_plan"}}};

/// A client that the network has swallowed is given up after 20 s, with the locks that it held;
/// the default is two hours.
constexpr const char* kProbeClient =
    "; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = "
    "3; "
    "SET tcp_user_timeout = '10s'";

/// Our own transactions make round trips of milliseconds; a process that is paused between two of
/// them must not keep a job's row locked, or nobody can rescue it. run() has its own limit for
/// handlers.
constexpr const char* kIdleInTransaction = "; SET idle_in_transaction_session_timeout = '5s'";

std::string fixed_plans(const char* set) {
  std::string sql;
  for (const auto& [name, value] : kFixedPlans)
    sql.append(set).append(name).append(" = ").append(value);
  return sql;
}

std::string percent_encoded(const std::string& value) {
  static constexpr std::array kHex{'0', '1', '2', '3', '4', '5', '6', '7',
                                   '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'};
  std::string out;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.') {
      out += c;
    } else {
      out += '%';
      out += kHex.at(byte >> 4U);
      out += kHex.at(byte & 15U);
    }
  }
  return out;
}

std::string quoted(const std::string& value) {
  std::string out{"'"};
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out += '\'';
}

std::string prepared_url(const ConnectSpec& spec) {
  const auto seconds = std::max<std::int64_t>(1, spec.connect_timeout.count() / 1000);
  return with_parameters(spec.url, {{"fallback_application_name", spec.application_name},
                                    {"connect_timeout", std::to_string(seconds)},
                                    {"keepalives_idle", "3"},
                                    {"keepalives_interval", "1"},
                                    {"keepalives_count", "3"},
                                    {"tcp_user_timeout", "6000"},
                                    {"target_session_attrs", "read-write"},
                                    {"client_encoding", "UTF8"}});
}

void append_parameter(std::string& url, const std::string& key, const std::string& value) {
  if (core::is_database_url(url)) {
    url += url.find('?') == std::string::npos ? '?' : '&';
    url.append(key).append("=").append(percent_encoded(value));
  } else {
    url.append(" ").append(key).append("=").append(quoted(value));
  }
}

pqxx::connection connect(const ConnectSpec& spec) {
  try {
    return pqxx::connection{prepared_url(spec)};
  } catch (...) {
    rethrow_classified();
  }
}

}  // namespace

std::string with_parameters(const std::string& url,
                            const std::map<std::string, std::string>& parameters) {
  const auto parts = core::parse_conninfo(url).value_or(std::vector<core::ConninfoPart>{});
  std::string out = url;
  for (const auto& parameter : parameters) {
    const auto& key = parameter.first;
    const bool given =
        std::any_of(parts.begin(), parts.end(), [&](const auto& part) { return part.key == key; });
    if (!given) append_parameter(out, key, parameter.second);
  }
  return out;
}

std::string with_database(const std::string& url, const std::string& database) {
  std::string out = url;
  append_parameter(out, "dbname", database);  // of several, libpq takes the last
  return out;
}

// 7.10 deprecates the class in favour of connection.listen(); it is there in all versions from 6.4
// to 7.10.
class Session::Receiver : public pqxx::notification_receiver {
 public:
  Receiver(pqxx::connection& connection, const std::string& channel, std::set<std::string> words)
      : pqxx::notification_receiver{connection, channel},
        own_pid_{connection.backendpid()},
        words_{std::move(words)} {}
  void operator()(const std::string& payload, int backend_pid) override {
    if (backend_pid == own_pid_) return;
    if (!received) received.emplace();
    if (words_.count(payload) > 0) received->insert(payload);
  }
  std::optional<Words> received;

 private:
  const int own_pid_;
  const std::set<std::string> words_;
};

Session::Session(const ConnectSpec& spec) : connection_{connect(spec)} {
  forbid_silent_reconnect(connection_);
  look_at_server();
  apply_settings(spec);
}

Session::~Session() = default;

void Session::look_at_server() {
  static constexpr Statement kPid{"pid", "SELECT pg_catalog.pg_backend_pid()"};
  try {
    pqxx::nontransaction tx{connection_};
    backend_pid_ = exec_params(tx, kPid.sql)[0][0].as<int>();
    // A pooler answers the connection itself and makes up the pid that it reports there.
    pooled_ = backend_pid_ != connection_.backendpid();
  } catch (...) {
    rethrow_classified();
  }
}

void Session::apply_settings(const ConnectSpec& spec) {
  if (pooled_) return;  // they would stay on a connection that others use
  const auto limit = "statement_timeout = " + std::to_string(spec.statement_timeout.count());
  std::string sql = "SET " + limit + "; SET lock_timeout = 0" + kIdleInTransaction + kProbeClient;
  if (spec.purpose == Purpose::hot) {
    look_at_settings();
    sql += fixed_plans("; SET ");
  } else {
    fixed_locally_ = "SET LOCAL " + limit + fixed_plans("; SET LOCAL ");
  }
  run_script(sql);
  notice_a_lost_client();
}

/// While a statement runs the server looks whether its client is still there: a dead processor's
/// handler must not go on for its whole timeout. Not every platform of a server can do it.
void Session::notice_a_lost_client() {
  try {
    run_script("SET client_connection_check_interval = '1s'");
  } catch (const core::DbError& e) {
    if (e.unsure()) throw;
  }
}

const std::string& Session::limit_statements(std::chrono::milliseconds most) {
  if (limit_text_.empty() || most != limit_) {
    limit_text_.clear();
    static constexpr Statement kLimit{
        "limit", "SELECT pg_catalog.set_config('statement_timeout', $1, false)"};
    limit_text_ = text(run(kLimit, std::to_string(most.count()))[0][0]);
    limit_ = most;
  }
  return limit_text_;
}

void Session::look_at_settings() {
  std::string sql{"SELECT array_agg(n), array_agg(current_setting(n)) FROM unnest('{"};
  for (const auto& [name, value] : kFixedPlans)
    sql.append(sql.back() == '{' ? "" : ",").append(name);
  try {
    pqxx::nontransaction tx{connection_};
    const auto row = tx.exec(sql + "}'::text[]) n")[0];
    own_settings_ = {text(row[0]), text(row[1])};
  } catch (...) {
    rethrow_classified();
  }
}

void Session::listen(const std::string& channel, Words words) {
  try {
    receiver_ = std::make_unique<Receiver>(connection_, channel, std::move(words));
  } catch (...) {
    rethrow_classified();
  }
}

std::optional<Session::Words> Session::take_notifications() {
  if (!receiver_) return std::nullopt;
  try {
    // After the server has gone the first call finds nothing, quietly; the second one throws.
    if (connection_.get_notifs() == 0) connection_.get_notifs();
  } catch (...) {
    rethrow_classified();
  }
  return std::exchange(receiver_->received, std::nullopt);
}

void Session::run_script(const std::string& sql) {
  try {
    pqxx::nontransaction tx{connection_};
    tx.exec(sql);
  } catch (...) {
    rethrow_classified();
  }
}

void Session::prepare(const Statement& statement) {
  if (!prepared_.insert(statement.name).second) return;
  connection_.prepare(statement.name, statement.sql);
  prepare_now(connection_, statement.name);
}

}  // namespace outbox::pg
