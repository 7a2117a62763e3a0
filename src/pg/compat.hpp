// The one place that knows which libpqxx it is compiled against: 6.4.5 (Debian 12) to 7.10.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <pqxx/pqxx>

#define OUTBOX_PQXX_AT_LEAST(major, minor) \
  (PQXX_VERSION_MAJOR > (major) || (PQXX_VERSION_MAJOR == (major) && PQXX_VERSION_MINOR >= (minor)))

namespace outbox::pg {

// 6.4 converts neither string_view nor containers; arrays travel as text, see array.hpp.
inline std::string to_param(std::string_view value) { return std::string{value}; }
inline const std::string& to_param(const std::string& value) { return value; }
inline std::string to_param(const char* value) { return value; }
template <class T>
requires std::is_arithmetic_v<T> T to_param(T value) { return value; }
template <class T>
const std::optional<T>& to_param(const std::optional<T>& value) {
  return value;
}

template <class... Args>
pqxx::result exec_params(pqxx::transaction_base& tx, const char* sql, const Args&... args) {
#if OUTBOX_PQXX_AT_LEAST(7, 10)
  return tx.exec(sql, pqxx::params{to_param(args)...});
#else
  return tx.exec_params(sql, to_param(args)...);
#endif
}

template <class... Args>
pqxx::result exec_prepared(pqxx::transaction_base& tx, const char* name, const Args&... args) {
#if OUTBOX_PQXX_AT_LEAST(7, 10)
  return tx.exec(pqxx::prepped{name}, pqxx::params{to_param(args)...});
#else
  return tx.exec_prepared(name, to_param(args)...);
#endif
}

template <class T, class Field>
std::optional<T> maybe(const Field& field) {
  if (field.is_null()) return std::nullopt;
  return field.template as<T>();
}

/// Text of a field; empty when NULL.
template <class Field>
std::string text(const Field& field) {
  return field.is_null() ? std::string{}
                         : std::string{field.c_str(), static_cast<std::size_t>(field.size())};
}

inline std::int64_t affected(const pqxx::result& result) {
  return static_cast<std::int64_t>(result.affected_rows());
}
inline std::size_t count(const pqxx::result& result) {
  return static_cast<std::size_t>(result.size());
}

/// 6.4 replaces a lost connection silently, even inside a transaction: forbid it, so that it stays
/// broken as in 7.x.
inline void forbid_silent_reconnect([[maybe_unused]] pqxx::connection& connection) {
#if !OUTBOX_PQXX_AT_LEAST(7, 0)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
#endif
}

/// 6.4 sends what is prepared with its first execution only.
inline void prepare_now([[maybe_unused]] pqxx::connection& connection,
                        [[maybe_unused]] const char* name) {
#if !OUTBOX_PQXX_AT_LEAST(7, 0)
  connection.prepare_now(name);
#endif
}

/// A transaction that code of others may use, in two round trips of its own: its settings travel
/// with BEGIN, its last statement with COMMIT. When exec() fails in 6.4, pqxx::work rolls back at
/// once, and if the caller catches that, whatever it sends with parameters afterwards is committed
/// on its own. This one leaves the transaction broken until its end, as the server and 7.x do.
#if OUTBOX_PQXX_AT_LEAST(7, 0)
class HandlerTransaction : public pqxx::work {
 public:
  HandlerTransaction(pqxx::connection& connection, const std::string& settings)
      : pqxx::work{connection} {
    exec(settings);
  }
  void finish(const std::string& statement) {
    exec(statement);
    commit();
  }
};
#else
class HandlerTransaction : public pqxx::dbtransaction {
 public:
  HandlerTransaction(pqxx::connection& connection, const std::string& settings)
      : pqxx::internal::namedclass{"job's transaction", ""},
        pqxx::dbtransaction{connection},
        begin_{"BEGIN; " + settings} {
    Begin();
  }
  ~HandlerTransaction() override { End(); }
  HandlerTransaction(const HandlerTransaction&) = delete;
  HandlerTransaction& operator=(const HandlerTransaction&) = delete;

  /// Nothing is stored if this throws, unless the connection was lost.
  void finish(const std::string& statement) {
    exec(statement + "; COMMIT");
    committed_ = true;
    commit();
  }

 private:
  void do_begin() override { direct_exec(begin_.c_str()); }
  pqxx::result do_exec(const char query[]) override { return direct_exec(query); }
  void do_commit() override {
    if (!committed_) direct_exec("COMMIT");
  }

  const std::string begin_;
  bool committed_{false};
};
#endif

}  // namespace outbox::pg
