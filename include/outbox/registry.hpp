// C++ handlers: the context that a handler gets, and the registry that a program fills before it
// runs outboxd.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <outbox/job.hpp>
#include <outbox/outcome.hpp>

namespace pqxx {
class dbtransaction;
}

namespace outbox {

/// What a handler may answer besides returning nothing (done) or throwing (failed).
struct Answers {
  [[nodiscard]] static Outcome done() { return Done{}; }
  [[nodiscard]] static Outcome snooze(std::chrono::milliseconds delay) { return Snooze{delay}; }
  [[nodiscard]] static Outcome discard(std::string why) { return Discard{std::move(why)}; }
  [[nodiscard]] static Outcome retry_after(std::chrono::milliseconds after, std::string why) {
    return Retry{std::move(why), after};
  }
};

/// What a handler works with. Thread contract: belongs to the one thread that runs the handler,
/// until the handler returns.
class Context : public Answers {
 public:
  Context(const Job& job, pqxx::dbtransaction& tx, std::stop_token stop)
      : job_{job}, tx_{tx}, stop_{std::move(stop)} {}

  [[nodiscard]] const Job& job() const { return job_; }

  /// The job's own transaction (READ COMMITTED). What is written through it commits together with
  /// the job's completion, exactly once. Leave COMMIT and ROLLBACK to outboxd; use a
  /// pqxx::subtransaction to survive an SQL error. Settings only with SET LOCAL: a plain SET stays
  /// on the connection, for whatever job comes next.
  [[nodiscard]] pqxx::dbtransaction& tx() { return tx_; }

  /// Requested when the kind's timeout is over or the processor is stopping. A handler that takes
  /// long looks at it now and then: one that ignores it for 30 s after its timeout ends the whole
  /// process with exit code 1, and the job is charged a crash.
  [[nodiscard]] const std::stop_token& stop_token() const { return stop_; }

 private:
  const Job& job_;
  pqxx::dbtransaction& tx_;
  std::stop_token stop_;
};

/// What an external handler works with: no transaction is open, no connection is held while it
/// runs. Thread contract: as Context.
class ExternalContext : public Answers {
 public:
  ExternalContext(const Job& job, std::stop_token stop) : job_{job}, stop_{std::move(stop)} {}

  [[nodiscard]] const Job& job() const { return job_; }
  /// As Context::stop_token().
  [[nodiscard]] const std::stop_token& stop_token() const { return stop_; }

 private:
  const Job& job_;
  std::stop_token stop_;
};

/// Run on several threads at the same time, one job each: captured state must be safe for that.
using HandlerFunction = std::function<Outcome(Context&)>;
using ExternalFunction = std::function<Outcome(ExternalContext&)>;

/// Handlers by kind. Filled on one thread before the program runs, constant afterwards.
class Registry {
 public:
  /// Adds a handler that returns Outcome, or void for Done. `kind` has 1 to 63 characters. Throws
  /// std::invalid_argument for a kind that is empty, too long or already there.
  template <class F>
  requires std::is_invocable_v<F&, Context&> Registry& add(std::string kind, F handler) {
    return insert(std::move(kind), HandlerFunction{answering<Context>(std::move(handler))});
  }

  /// Adds a handler for work outside the database (a mail, a file, another service). It may run
  /// again after a crash: at least once, with the job's id as idempotency key. In return it holds
  /// no connection, and the ends of many jobs are written together. Otherwise as add().
  template <class F>
  requires std::is_invocable_v<F&, ExternalContext&> Registry& add_external(std::string kind,
                                                                            F handler) {
    return insert(std::move(kind),
                  ExternalFunction{answering<ExternalContext>(std::move(handler))});
  }

  /// Adds a handler of a typed payload: `parse` makes it from the JSON text. A payload that does
  /// not parse can never succeed: the job is discarded with the text of the exception.
  template <class Parse, class F>
  requires std::is_invocable_v<Parse&, std::string_view> Registry& add(std::string kind,
                                                                       Parse parse, F handler) {
    using Payload = std::decay_t<std::invoke_result_t<Parse&, std::string_view>>;
    return add(std::move(kind),
               [parse = std::move(parse),
                handler = std::move(handler)](Context& context) mutable -> Outcome {
                 std::optional<Payload> payload;
                 try {
                   payload.emplace(parse(std::string_view{context.job().payload}));
                 } catch (const std::exception& e) {
                   return Discard{std::string{"the payload does not fit its kind: "} + e.what()};
                 }
                 if constexpr (std::is_void_v<std::invoke_result_t<F&, Context&, const Payload&>>) {
                   handler(context, *payload);
                   return Done{};
                 } else {
                   return handler(context, *payload);
                 }
               });
  }

  using Handler = std::variant<HandlerFunction, ExternalFunction>;
  [[nodiscard]] const std::map<std::string, Handler>& handlers() const { return handlers_; }

 private:
  template <class C, class F>
  static auto answering(F handler) {
    return [handler = std::move(handler)](C& context) mutable -> Outcome {
      if constexpr (std::is_void_v<std::invoke_result_t<F&, C&>>) {
        handler(context);
        return Done{};
      } else {
        return handler(context);
      }
    };
  }

  Registry& insert(std::string kind, Handler handler) {
    if (kind.empty() || kind.size() > 63)
      throw std::invalid_argument{"a kind has 1 to 63 characters: '" + kind + "'"};
    if (!handlers_.emplace(kind, std::move(handler)).second)
      throw std::invalid_argument{"kind '" + kind + "' is registered twice"};
    return *this;
  }

  std::map<std::string, Handler> handlers_;
};

}  // namespace outbox
