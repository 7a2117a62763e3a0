// The handler of one http kind: jobs in, requests out, within the limits of each endpoint.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/address_guard.hpp"
#include "engine/async_handler.hpp"
#include "handlers/endpoint.hpp"
#include "handlers/http_loop.hpp"
#include "handlers/http_request.hpp"
#include "observe/events.hpp"

namespace outbox::handlers {

/// Thread contract: as AsyncHandler. Destroyed when no job is with it any more, or the engine has
/// given up all of them.
class HttpKind final : public engine::AsyncHandler {
 public:
  /// `options` have http, and were checked when the configuration was loaded.
  HttpKind(std::string kind, core::KindOptions options, std::string message_prefix,
           std::shared_ptr<HttpLoop> http, observe::Events& events);
  ~HttpKind() override;
  HttpKind(const HttpKind&) = delete;
  HttpKind& operator=(const HttpKind&) = delete;

  [[nodiscard]] Room room() override;
  void start(engine::TaskPtr task, Ended ended) override;
  void look_for_abandoned() override;

 private:
  struct Delivery {
    engine::TaskPtr task;
    Ended ended;
  };
  struct Target {
    Target(std::string named, const core::HttpHandler& http)
        : origin{std::move(named)}, endpoint{http} {}
    const std::string origin;
    Endpoint endpoint;             // guarded by mutex_
    std::deque<Delivery> waiting;  // the loop's thread
    Loop::TimerId timer{};         // the loop's thread
    /// The loop's thread. Until then, or until it is there, the first request alone makes a
    /// connection: over HTTP/2 it will carry the others as well.
    core::Clock::time_point alone_until{};
  };
  struct Sent {
    Delivery delivery;
    Target* target{};
    Endpoint::Pass pass;
  };

  // on the loop's thread
  void take_incoming();
  void queue(Delivery delivery);
  [[nodiscard]] Target& target_of(const std::string& origin);
  void forget_idle_targets();
  void pump(Target& target);
  void send(Target& target, Delivery delivery);
  void connected(Transfer& transfer);
  void over(Transfer& transfer, CURLcode code);
  void conclude_one(Sent sent, const Transfer& transfer, HttpAnswer answer);
  void snooze_waiting(Target& target);
  void end(Delivery delivery, store::Ran ran);
  void drop_abandoned();
  void tell(const Target& target, Endpoint::Change change, const std::string& why);
  [[nodiscard]] core::milliseconds until_open(const Target& target);
  [[nodiscard]] std::unique_ptr<Transfer> idle_transfer();

  const std::string kind_;
  const core::KindOptions options_;
  const RequestMaker maker_;
  const core::AddressGuard guard_;
  std::shared_ptr<HttpLoop> http_;
  observe::Events& events_;

  std::mutex mutex_;
  std::deque<Delivery> incoming_;          // guarded by mutex_
  bool called_{false};                     // guarded by mutex_: take_incoming() is on its way
  int held_{0};                            // guarded by mutex_: jobs that are here
  core::Clock::time_point short_until_{};  // guarded by mutex_: of sockets, or memory
  std::map<std::string, std::unique_ptr<Target>> targets_;  // structure guarded by mutex_

  std::unordered_map<Transfer*, std::pair<std::unique_ptr<Transfer>, Sent>>
      sent_;                                     // the loop's thread
  std::vector<std::unique_ptr<Transfer>> idle_;  // the loop's thread
  int not_closed_{0};  // the loop's thread: targets whose breaker is not closed
};

}  // namespace outbox::handlers
