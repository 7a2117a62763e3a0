// One connection, used by one thread: constructed, used and destroyed there. A lost one stays lost;
// its owner builds another.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>

#include "pg/compat.hpp"
#include "pg/fault.hpp"
#include "pg/statement.hpp"

namespace outbox::pg {

/// What a session is for decides its planner settings.
enum class Purpose {
  plain,  ///< Handlers, people, migrations: the server's own settings.
  hot,    ///< Claims, groups and finishes: plans are held fixed (no sequential scan, sort, bitmap,
          ///< hash or merge). Handlers of a group get the server's own settings back, see
          ///< own_settings().
};

/// Names and values, each as the text of a PostgreSQL text[].
struct Settings {
  std::string names{"{}"};
  std::string values{"{}"};
};

struct ConnectSpec {
  std::string url;  ///< libpq URL or conninfo, secrets included.
  std::string application_name;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds statement_timeout{5'000};  ///< 0: none.
  Purpose purpose{Purpose::plain};
};

/// `url` with parameters that it does not name itself, in its own form (URL or key=value).
[[nodiscard]] std::string with_parameters(const std::string& url,
                                          const std::map<std::string, std::string>& parameters);

/// `url` for another database of the same server.
[[nodiscard]] std::string with_database(const std::string& url, const std::string& database);

class Session {
 public:
  /// Connects, at most `connect_timeout` for each host. Throws core::DbError.
  explicit Session(const ConnectSpec& spec);

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  Session(Session&&) = delete;
  Session& operator=(Session&&) = delete;
  ~Session();

  /// Runs one statement as its own transaction. Throws core::DbError.
  template <class... Args>
  pqxx::result run(const Statement& statement, const Args&... args) {
    try {
      pqxx::nontransaction tx{connection_};
      return call(tx, statement, args...);
    } catch (...) {
      rethrow_classified();
    }
  }

  /// As run(), with plans held fixed and the session's own time limit also where the session has
  /// neither.
  template <class... Args>
  pqxx::result run_fixed(const Statement& statement, const Args&... args) {
    if (fixed_locally_.empty()) return run(statement, args...);
    return transact([&](pqxx::work& tx) {
      tx.exec(fixed_locally_);
      return call(tx, statement, args...);
    });
  }

  /// Limits the statements to come, until the next such call; in a pooled session nothing lasts:
  /// do not call it there. Returns the limit as current_setting() tells it. Throws core::DbError.
  const std::string& limit_statements(std::chrono::milliseconds most);
  /// Somebody else has set it.
  void forget_limit() { limit_text_.clear(); }

  using Words = std::set<std::string>;
  /// Subscribes to a channel; take_notifications() tells what came from other sessions. Of the
  /// payloads only `words` are kept: anybody may send anything.
  void listen(const std::string& channel, Words words = {});

  /// Runs plain SQL, several statements allowed, no parameters. Throws core::DbError.
  void run_script(const std::string& sql);

  /// begin; body(tx); commit. The only way to a transaction; `body` must not catch what the
  /// database throws.
  template <class Body>
  auto transact(Body&& body) {
    try {
      pqxx::work tx{connection_};
      if constexpr (std::is_void_v<decltype(body(tx))>) {
        body(tx);
        tx.commit();
      } else {
        auto result = body(tx);
        tx.commit();
        return result;
      }
    } catch (...) {
      rethrow_classified();
    }
  }

  /// One statement inside a transaction of transact(); prepared on first use, but for a pooler,
  /// where names do not last.
  template <class... Args>
  pqxx::result call(pqxx::transaction_base& tx, const Statement& statement, const Args&... args) {
    statements_sent.fetch_add(1, std::memory_order_relaxed);
    if (pooled_) return exec_params(tx, statement.sql, args...);
    prepare(statement);
    return exec_prepared(tx, statement.name, args...);
  }

  /// Whether a notification came in since the last call, and which words came as payloads; never
  /// waits. Throws core::DbError when the connection is lost.
  [[nodiscard]] std::optional<Words> take_notifications();

  [[nodiscard]] pqxx::connection& raw() { return connection_; }
  [[nodiscard]] int backend_pid() const { return backend_pid_; }
  /// Whether a transaction pooler stands between: no session locks, no LISTEN, no session settings.
  [[nodiscard]] bool pooled() const { return pooled_; }
  /// The planner settings that a hot session replaced, as the server, database and role had them;
  /// empty for others.
  [[nodiscard]] const Settings& own_settings() const { return own_settings_; }
  /// Statements of all sessions of this process so far; BEGIN, COMMIT and what handlers send not
  /// counted.
  static inline std::atomic<std::int64_t> statements_sent{0};
  [[nodiscard]] int socket() const { return connection_.sock(); }
  /// Makes EXECUTE by its name possible.
  void prepare(const Statement& statement);

 private:
  void look_at_server();
  void apply_settings(const ConnectSpec& spec);
  void look_at_settings();
  void notice_a_lost_client();

  class Receiver;

  pqxx::connection connection_;
  std::unique_ptr<Receiver> receiver_;
  std::unordered_set<const char*> prepared_;
  Settings own_settings_;
  std::string fixed_locally_;  // settings of one transaction; empty: the session has them
  std::chrono::milliseconds limit_{};
  std::string limit_text_;  // empty: not known
  int backend_pid_{0};
  bool pooled_{false};
};

}  // namespace outbox::pg
