// The way of a job through one http kind: start() -> queue() -> pump() -> send() -> over() ->
// end().
#include "handlers/http.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "engine/begin.hpp"
#include "engine/jitter.hpp"

namespace outbox::handlers {

using core::Clock;
using core::milliseconds;
using engine::TaskPtr;

namespace {

/// Endpoints of one kind that are remembered, if hosts come from payloads.
constexpr std::size_t kTargetsMost = 10'000;
/// Jobs of one kind that are here at a time, if hosts come from payloads.
constexpr int kHeldMost = 2'000;
/// A job whose endpoint has no slot for it, and one whose endpoint is being probed.
constexpr milliseconds kBusyDelay{2'000};
constexpr std::size_t kIdleTransfersMost = 1'024;
/// A part of a secret URL that may be its secret by itself.
constexpr std::size_t kTokenLeast = 12;
/// Nothing is claimed for so long after this process could not send a request.
constexpr milliseconds kShortPause{1'000};
/// How long requests wait for the first one's connection. curl's own way to do that, PIPEWAIT,
/// tries one after the other when it does not come: an endpoint that is dark would hold its jobs
/// for minutes, and its breaker would see too few failures to open.
constexpr milliseconds kAloneMost{1'000};

std::vector<core::Network> networks(const std::vector<std::string>& texts) {
  std::vector<core::Network> out;
  for (const auto& text : texts) out.push_back(core::parse_network(text).network.value());
  return out;
}

/// For people: without the query, which may hold a secret; when all of the URL is one, its origin.
std::string shown(const core::HttpHandler& http, const HttpRequest& request) {
  return request.method + " " +
         (http.url_is_secret() ? request.origin : request.url.substr(0, request.url.find('?')));
}

/// What a receiver knows and may repeat, but nobody else is to see; the longest first.
std::vector<std::string> secrets_of(const core::HttpHandler& http, const HttpRequest& request) {
  std::vector<std::string> out;
  if (!http.bearer.text.empty()) out.push_back(http.bearer.text);
  if (!http.url_is_secret()) return out;
  const auto path =
      std::min(request.url.find('/', request.url.find("://") + 3), request.url.size());
  const auto rest = request.url.substr(path);
  out.push_back(rest);
  out.push_back(rest.substr(0, rest.find('?')));
  for (std::size_t at = 0; at < rest.size();) {
    const auto end = std::min(rest.find_first_of("/?&=", at), rest.size());
    if (end - at >= kTokenLeast) out.push_back(rest.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

/// Since 1970, by the clock of the database.
std::int64_t seconds(const engine::Task& task, Clock::time_point now) {
  return engine::database_us(task, now) / 1'000'000;
}

}  // namespace

HttpKind::HttpKind(std::string kind, core::KindOptions options, std::string message_prefix,
                   std::shared_ptr<HttpLoop> http, observe::Events& events)
    : kind_{std::move(kind)},
      options_{std::move(options)},
      maker_{*options_.http, std::move(message_prefix)},
      guard_{networks(options_.http->allow_addresses)},
      http_{std::move(http)},
      events_{events} {
  if (!maker_.url().host_from_payload()) (void)target_of(maker_.url().origin());
}

HttpKind::~HttpKind() {
  http_->run_here([this] {
    for (auto& [transfer, sent] : sent_) http_->drop(*transfer);
    for (auto& [origin, target] : targets_) http_->loop().cancel(target->timer);
    sent_.clear();
    idle_.clear();
  });
}

engine::AsyncHandler::Room HttpKind::room() {
  const auto now = Clock::now();
  const std::lock_guard lock{mutex_};
  if (now < short_until_) return {0, std::chrono::ceil<milliseconds>(short_until_ - now)};
  if (maker_.url().host_from_payload())
    return {std::min(kHeldMost, 10 * options_.http->concurrency) - held_, milliseconds::max(),
            true};
  const auto& endpoint = targets_.begin()->second->endpoint;
  const int jobs = endpoint.room(now, held_);
  if (jobs > 0) return {jobs, milliseconds{0}};
  const auto next = endpoint.next(now);
  const bool turns =
      endpoint.open(now) && endpoint.breaker() == Breaker::State::closed;  // or it is snoozed
  return {0, next <= now ? milliseconds::max() : std::chrono::ceil<milliseconds>(next - now),
          turns};
}

void HttpKind::start(TaskPtr task, Ended ended) {
  {
    const std::lock_guard lock{mutex_};
    ++held_;
    incoming_.push_back({std::move(task), std::move(ended)});
    if (std::exchange(called_, true)) return;
  }
  http_->loop().post([this] { take_incoming(); });
}

void HttpKind::take_incoming() {
  std::deque<Delivery> incoming;
  {
    const std::lock_guard lock{mutex_};
    called_ = false;
    incoming.swap(incoming_);
  }
  for (auto& delivery : incoming) queue(std::move(delivery));
}

void HttpKind::queue(Delivery delivery) {
  if (!maker_.url().host_from_payload()) {
    auto& target = *targets_.begin()->second;
    target.waiting.push_back(std::move(delivery));
    return pump(target);
  }
  const auto payload = nlohmann::json::parse(delivery.task->claimed.job.payload, nullptr, false);
  const auto expanded = maker_.url().expand(payload);
  if (!expanded.problem.empty()) {
    return end(
        std::move(delivery),
        store::undone(Discard{"the URL cannot be made from the payload: " + expanded.problem}));
  }
  auto& target = target_of(expanded.origin);
  // One slow receiver must not keep the room of all others.
  if (static_cast<int>(target.waiting.size()) >= options_.http->concurrency)
    return end(std::move(delivery), store::undone(Snooze{engine::jittered(kBusyDelay)}));
  target.waiting.push_back(std::move(delivery));
  pump(target);
}

HttpKind::Target& HttpKind::target_of(const std::string& origin) {
  const std::lock_guard lock{mutex_};
  const auto found = targets_.find(origin);
  if (found != targets_.end()) return *found->second;
  if (targets_.size() >= kTargetsMost) forget_idle_targets();
  return *targets_.emplace(origin, std::make_unique<Target>(origin, *options_.http)).first->second;
}

/// Half of those that nothing waits for, the ones used longest ago.
void HttpKind::forget_idle_targets() {
  std::vector<std::pair<Clock::time_point, std::string>> idle;
  for (const auto& [origin, target] : targets_) {
    if (target->waiting.empty() && target->endpoint.in_flight() == 0)
      idle.emplace_back(target->endpoint.used_at(), origin);
  }
  std::sort(idle.begin(), idle.end());
  idle.resize((idle.size() + 1) / 2);
  for (const auto& [used_at, origin] : idle) {
    const auto& target = targets_.at(origin);
    if (target->endpoint.breaker() != Breaker::State::closed) --not_closed_;
    http_->loop().cancel(target->timer);
    targets_.erase(origin);
  }
}

/// Sends what may be sent now, and comes back when time allows more.
void HttpKind::pump(Target& target) {
  while (!target.waiting.empty()) {
    const auto now = Clock::now();
    bool open = false;
    bool ready = false;
    {
      const std::lock_guard lock{mutex_};
      open = target.endpoint.open(now);
      ready = target.endpoint.ready(now);
    }
    if (!open) return snooze_waiting(target);
    if (!ready || now < target.alone_until) break;
    auto delivery = std::move(target.waiting.front());
    target.waiting.pop_front();
    send(target, std::move(delivery));
  }
  http_->loop().cancel(target.timer);
  target.timer = {};
  if (target.waiting.empty()) return;
  const auto now = Clock::now();
  const std::lock_guard lock{mutex_};
  const auto next = std::max(target.endpoint.next(now), target.alone_until);
  if (next > now) target.timer = http_->loop().at(next, [this, &target] { pump(target); });
}

/// Its endpoint is left alone: the jobs go back to the table, where they cost nothing, and no
/// attempt is charged.
void HttpKind::snooze_waiting(Target& target) {
  http_->loop().cancel(target.timer);
  target.timer = {};
  auto waiting = std::exchange(target.waiting, {});
  for (auto& delivery : waiting)
    end(std::move(delivery), store::undone(Snooze{engine::jittered(until_open(target))}));
}

milliseconds HttpKind::until_open(const Target& target) {
  const auto now = Clock::now();
  const std::lock_guard lock{mutex_};
  return std::max(kBusyDelay, std::chrono::ceil<milliseconds>(target.endpoint.again(now) - now));
}

void HttpKind::send(Target& target, Delivery delivery) {
  auto& task = *delivery.task;
  if (task.abandoned) return end(std::move(delivery), store::undone(Retry{"given up at a stop"}));
  const auto now = Clock::now();
  if (engine::expired(task, now)) return end(std::move(delivery), store::RanExpired{});
  auto made = maker_.make(task.claimed.job, seconds(task, now));
  if (!made.problem.empty())
    return end(std::move(delivery), store::undone(Discard{std::move(made.problem)}));
  engine::begin(task, now);
  auto transfer = idle_transfer();
  transfer->prepare(std::move(made.request));
  auto* key = transfer.get();
  Sent sent{std::move(delivery), &target, {}};
  {
    const std::lock_guard lock{mutex_};
    const bool alone = target.endpoint.in_flight() == 0;
    const auto& http = *options_.http;
    if (alone && http.http2 && target.origin.starts_with("https:"))
      target.alone_until = now + std::min(kAloneMost, http.connect_timeout / 2);
    sent.pass = target.endpoint.sent(now);
  }
  if (!http_->start(*transfer))
    return conclude_one(std::move(sent), *transfer, transfer->answer(CURLE_OUT_OF_MEMORY));
  sent_.emplace(key, std::make_pair(std::move(transfer), std::move(sent)));
  events_.http_in_flight(kind_, static_cast<int>(sent_.size()));
}

std::unique_ptr<Transfer> HttpKind::idle_transfer() {
  if (!idle_.empty()) {
    auto transfer = std::move(idle_.back());
    idle_.pop_back();
    return transfer;
  }
  auto transfer =
      std::make_unique<Transfer>(options_, maker_.url().host_from_payload() ? &guard_ : nullptr);
  transfer->done = [this, self = transfer.get()](CURLcode code) { over(*self, code); };
  if (options_.http->http2)
    transfer->connected = [this, self = transfer.get()] { connected(*self); };
  return transfer;
}

void HttpKind::connected(Transfer& transfer) {
  auto& target = *sent_.at(&transfer).second.target;
  if (std::exchange(target.alone_until, {}) == Clock::time_point{} || target.waiting.empty())
    return;
  http_->loop().cancel(target.timer);
  target.timer = http_->loop().at(Clock::now(), [this, &target] { pump(target); });
}

void HttpKind::over(Transfer& transfer, CURLcode code) {
  auto node = sent_.extract(&transfer);
  auto [owned, sent] = std::move(node.mapped());
  events_.http_in_flight(kind_, static_cast<int>(sent_.size()));
  auto& target = *sent.target;
  target.alone_until = {};
  conclude_one(std::move(sent), transfer, transfer.answer(code));
  if (idle_.size() < kIdleTransfersMost) idle_.push_back(std::move(owned));
  pump(target);
}

void HttpKind::conclude_one(Sent sent, const Transfer& transfer, HttpAnswer answer) {
  auto& task = *sent.delivery.task;
  auto& target = *sent.target;
  const auto now = Clock::now();
  task.ran = answer.phases.total;
  hide(answer, secrets_of(*options_.http, transfer.request()));
  const auto where = shown(*options_.http, transfer.request());
  const AnswerContext context{.where = where,
                              .attempt = task.claimed.job.attempt,
                              .now = seconds(task, now),
                              .spin = engine::spin(),
                              .many_endpoints = maker_.url().host_from_payload()};
  auto conclusion = conclude(answer, options_, context);
  task.keep_detail = options_.http->keep_response;
  if (task.keep_detail || !std::holds_alternative<Done>(conclusion.outcome))
    task.detail = to_detail(answer, where);
  task.pause_kind = conclusion.pause_kind;
  events_.http_answered(kind_, class_of(answer), answer.phases.total);
  Endpoint::Change change;
  {
    const std::lock_guard lock{mutex_};
    if (answer.end == HttpAnswer::End::not_sent) short_until_ = now + kShortPause;
    const bool was_closed = target.endpoint.breaker() == Breaker::State::closed;
    change =
        target.endpoint.ended(now, conclusion.sign, sent.pass, answer.phases.total, engine::spin());
    if (conclusion.hold) target.endpoint.hold(now, *conclusion.hold);
    if (change.opened && was_closed) ++not_closed_;
    if (change.closed) --not_closed_;
  }
  const auto* retry = std::get_if<Retry>(&conclusion.outcome);
  if (change.opened || change.closed) tell(target, change, retry != nullptr ? retry->why : where);
  if (std::holds_alternative<Done>(conclusion.outcome))
    return end(std::move(sent.delivery), store::RanDone{});
  // What fails while the endpoint is known to be down is the endpoint's failure, not the job's.
  if (change.excused && retry != nullptr)
    conclusion.outcome = Snooze{engine::jittered(until_open(target))};
  end(std::move(sent.delivery),
      store::RanUndone{std::move(conclusion.outcome), conclusion.reason, {}});
}

void HttpKind::tell(const Target& target, Endpoint::Change change, const std::string& why) {
  const auto pause = target.endpoint.again(Clock::now()) - Clock::now();
  events_.breaker_changed(kind_, target.origin, change.opened, why,
                          std::chrono::ceil<milliseconds>(pause), not_closed_);
}

void HttpKind::end(Delivery delivery, store::Ran ran) {
  {
    const std::lock_guard lock{mutex_};
    --held_;
  }
  engine::end(*delivery.task);
  delivery.task->answer = std::move(ran);
  delivery.ended(std::move(delivery.task));
}

void HttpKind::look_for_abandoned() {
  http_->loop().post([this] {
    take_incoming();
    drop_abandoned();
  });
}

void HttpKind::drop_abandoned() {
  std::vector<Delivery> gone;
  for (auto& [origin, target] : targets_) {
    auto waiting = std::exchange(target->waiting, {});
    for (auto& delivery : waiting) {
      if (delivery.task->abandoned) {
        gone.push_back(std::move(delivery));
      } else {
        target->waiting.push_back(std::move(delivery));
      }
    }
  }
  for (auto it = sent_.begin(); it != sent_.end();) {
    auto& [transfer, sent] = it->second;
    if (!sent.delivery.task->abandoned) {
      ++it;
      continue;
    }
    http_->drop(*transfer);
    {
      const std::lock_guard lock{mutex_};
      sent.target->alone_until = {};
      (void)sent.target->endpoint.ended(Clock::now(), Endpoint::Sign::none, sent.pass, {}, 0);
    }
    gone.push_back(std::move(sent.delivery));
    it = sent_.erase(it);
  }
  for (auto& delivery : gone) end(std::move(delivery), store::undone(Retry{"given up at a stop"}));
  for (auto& [origin, target] : targets_) pump(*target);
}

}  // namespace outbox::handlers
