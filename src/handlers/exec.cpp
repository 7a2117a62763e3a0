// Tasks wait here, first in first out, until fewer than `concurrency` children of their kind run.
#include "handlers/exec.hpp"

#include <atomic>
#include <csignal>
#include <deque>
#include <future>
#include <map>
#include <pthread.h>
#include <system_error>

#include "core/error.hpp"
#include "engine/begin.hpp"
#include "engine/jitter.hpp"
#include "handlers/child.hpp"
#include "handlers/control.hpp"
#include "handlers/exec_answer.hpp"
#include "handlers/exec_check.hpp"
#include "handlers/exec_environment.hpp"

namespace outbox::handlers {

using core::Clock;
using core::microseconds;
using core::milliseconds;
using engine::Task;
using engine::TaskPtr;

namespace {

/// From SIGTERM to SIGKILL at the end of the processor, which waits for 700 ms.
constexpr milliseconds kAbandonedKillAfter{300};
/// Nothing is claimed for so long after this machine had no room for a child: or the whole backlog
/// would go to and fro meanwhile.
constexpr milliseconds kNoRoomPause{1'000};

std::int64_t unix_seconds_after(milliseconds delay) {
  const auto then = std::chrono::system_clock::now() + delay;
  return std::chrono::duration_cast<std::chrono::seconds>(then.time_since_epoch()).count();
}

Outputs outputs_of(const core::ExecHandler& settings) {
  const auto kept = static_cast<std::size_t>(settings.output_kept);
  const bool last_line = settings.control == core::ExecControl::last_line;
  // One byte more than a control may have, so that a longer line is seen to be one.
  return {.out_kept = last_line ? std::max(kept, kControlBytesMax + 1) : kept,
          .err_kept = kept,
          .control_kept =
              settings.control == core::ExecControl::fd3 ? kControlBytesMax + 1 : std::size_t{0},
          .most = settings.output_most};
}

/// Never as ourselves when another user was asked for.
std::optional<RunAs> user_of(const core::ExecHandler& settings) {
  if (settings.user.empty()) return std::nullopt;
  if (auto user = find_user(settings.user)) return user;
  throw core::Error{core::ExitCode::configuration,
                    "this machine has no user \"" + settings.user + "\"",
                    "create it, or name another one under `user:`"};
}

}  // namespace

/// All that a kind needs on the loop's thread; kept alive by what it has posted there.
class ExecKind : public std::enable_shared_from_this<ExecKind> {
 public:
  ExecKind(std::string kind, const core::KindOptions& options, ExecLoop& shared)
      : kind_{std::move(kind)},
        options_{options},
        settings_{*options_.exec},
        program_{make_program(settings_, user_of(settings_))},
        environment_{allowed_environment(settings_)},
        outputs_{outputs_of(settings_)},
        shared_{shared} {}

  // --- any thread
  [[nodiscard]] engine::AsyncHandler::Room room() const {
    const auto short_for = Clock::time_point{Clock::duration{short_until_.load()}} - Clock::now();
    if (short_for > Clock::duration{}) return {0, std::chrono::ceil<milliseconds>(short_for)};
    return {std::max(0, settings_.concurrency + ahead_.load() - held_.load()), milliseconds::max(),
            true};
  }
  void held(int more) { held_ += more; }
  /// False: it was asked already and has not looked yet.
  bool ask_to_look() { return !look_asked_.exchange(true); }

  // --- the loop's thread
  void take(TaskPtr task, engine::AsyncHandler::Ended ended) {
    waiting_.push_back({std::move(task), std::move(ended)});
    start_some();
  }
  void look_for_abandoned();
  void drop_all() {
    waiting_.clear();
    for (auto& [task, job] : running_) shared_.loop_.cancel(job.timeout);
    running_.clear();
  }

 private:
  struct Waiting {
    TaskPtr task;
    engine::AsyncHandler::Ended ended;
  };
  struct Running {
    Waiting job;
    std::unique_ptr<Child> child;
    Loop::TimerId timeout{};
    bool timed_out{false};
  };

  void start_some();
  void start(Waiting job);
  void timed_out(Task* task);
  void gone(Task* task, Ending ending);
  void come_back(Waiting job, store::Ran answer);

  const std::string kind_;
  const core::KindOptions options_;
  const core::ExecHandler& settings_;
  const Program program_;
  const std::vector<std::string> environment_;
  const Outputs outputs_;
  ExecLoop& shared_;

  std::atomic<int> held_{0};   ///< Tasks that have not ended.
  std::atomic<int> ahead_{0};  ///< Tasks beyond `concurrency` to have waiting.
  std::atomic<bool> look_asked_{false};
  std::atomic<Clock::rep> short_until_{0};  ///< Of what this machine has for children.

  // the loop's thread
  std::deque<Waiting> waiting_;
  std::map<Task*, Running> running_;
  core::MeanTime mean_;
};

void ExecKind::start_some() {
  while (!waiting_.empty() && static_cast<int>(running_.size()) < settings_.concurrency) {
    auto job = std::move(waiting_.front());
    waiting_.pop_front();
    start(std::move(job));
  }
}

void ExecKind::start(Waiting job) {
  auto& task = *job.task;
  if (task.abandoned) return come_back(std::move(job), store::undone(Retry{"given up at a stop"}));
  const auto now = Clock::now();
  engine::begin(task, now);
  if (engine::expired(task, now)) return come_back(std::move(job), store::RanExpired{});
  const auto& claimed = task.claimed.job;
  auto started = Child::start(
      shared_.loop_, shared_.spawner_, program_,
      exec_environment(environment_, claimed, shared_.message_prefix_,
                       unix_seconds_after(options_.timeout)),
      claimed.payload, outputs_,
      [self = shared_from_this(), &task](Ending ending) { self->gone(&task, std::move(ending)); });
  if (const auto* failure = std::get_if<SpawnFailure>(&started)) {
    task.ran = std::chrono::duration_cast<microseconds>(Clock::now() - now);
    auto answer = spawn_answer(settings_, kind_, *failure, engine::spin());
    if (failure->no_room()) {
      short_until_ = (Clock::now() + kNoRoomPause).time_since_epoch().count();
      shared_.events_.exec_no_room(kind_, failure->step,
                                   std::system_category().message(failure->error));
    }
    shared_.events_.exec_ended({claimed.id, claimed.queue, kind_, claimed.attempt}, answer.how,
                               task.ran);
    return come_back(std::move(job), std::move(answer.ran));
  }
  Running running{std::move(job), std::get<std::unique_ptr<Child>>(std::move(started)), {}, false};
  running.timeout = shared_.loop_.at(now + options_.timeout, [this, &task] { timed_out(&task); });
  running_.emplace(&task, std::move(running));
  shared_.events_.exec_running(kind_, static_cast<int>(running_.size()));
}

void ExecKind::timed_out(Task* task) {
  auto& running = running_.at(task);
  if (running.child->terminate(settings_.kill_after)) running.timed_out = true;
}

void ExecKind::gone(Task* key, Ending ending) {
  auto running = running_.extract(key);
  auto& [job, child, timeout, timed_out] = running.mapped();
  shared_.loop_.cancel(timeout);
  auto& task = *job.task;
  task.ran = std::chrono::duration_cast<microseconds>(ending.ran);
  task.detail = exec_detail(settings_, ending);
  task.keep_detail = settings_.keep_output;
  auto answer = exec_answer(options_, ending, timed_out);
  mean_.add(task.ran);
  ahead_ = core::jobs_ahead(settings_.concurrency, true, mean_.value());
  const auto& claimed = task.claimed.job;
  shared_.events_.exec_running(kind_, static_cast<int>(running_.size()));
  shared_.events_.exec_ended({claimed.id, claimed.queue, kind_, claimed.attempt}, answer.how,
                             task.ran);
  child.reset();
  come_back(std::move(job), std::move(answer.ran));
  start_some();
}

void ExecKind::come_back(Waiting job, store::Ran answer) {
  job.task->answer = std::move(answer);
  engine::end(*job.task);
  --held_;
  job.ended(std::move(job.task));
}

/// Those that wait come back at once, those that run when their child has ended.
void ExecKind::look_for_abandoned() {
  look_asked_ = false;
  std::deque<Waiting> waiting;
  waiting.swap(waiting_);
  for (auto& job : waiting) {
    if (job.task->abandoned) {
      come_back(std::move(job), store::undone(Retry{"given up at a stop"}));
    } else {
      waiting_.push_back(std::move(job));
    }
  }
  for (auto& [task, running] : running_) {
    if (task->abandoned)
      (void)running.child->terminate(std::min(settings_.kill_after, kAbandonedKillAfter));
  }
}

/// What the engine holds. Hands everything over to the loop's thread.
class ExecHandle final : public engine::AsyncHandler {
 public:
  ExecHandle(std::string kind, const core::KindOptions& options, std::shared_ptr<ExecLoop> loop)
      : loop_{std::move(loop)},
        kind_{std::make_shared<ExecKind>(std::move(kind), options, *loop_)} {}
  ~ExecHandle() override {
    std::promise<void> dropped;
    loop_->loop_.post([&] {
      kind_->drop_all();
      dropped.set_value();
    });
    dropped.get_future().wait();
  }
  ExecHandle(const ExecHandle&) = delete;
  ExecHandle& operator=(const ExecHandle&) = delete;

  Room room() override { return kind_->room(); }
  void start(TaskPtr task, Ended ended) override {
    kind_->held(1);
    loop_->loop_.post([kind = kind_, task = std::move(task), ended = std::move(ended)]() mutable {
      kind->take(std::move(task), std::move(ended));
    });
  }
  void look_for_abandoned() override {
    if (kind_->ask_to_look()) loop_->loop_.post([kind = kind_] { kind->look_for_abandoned(); });
  }

 private:
  std::shared_ptr<ExecLoop> loop_;
  std::shared_ptr<ExecKind> kind_;
};

ExecLoop::ExecLoop(std::string message_prefix, observe::Events& events)
    : message_prefix_{std::move(message_prefix)}, events_{events} {
  struct sigaction children {};
  ::sigaction(SIGCHLD, nullptr, &children);
  if (children.sa_handler == SIG_IGN) ::signal(SIGCHLD, SIG_DFL);
  thread_ = std::thread{[this] {
    ::pthread_setname_np(::pthread_self(), "exec");
    loop_.run();
  }};
}

ExecLoop::~ExecLoop() {
  loop_.stop();
  thread_.join();
}

std::shared_ptr<engine::AsyncHandler> make_exec(const std::string& kind,
                                                const core::KindOptions& options,
                                                std::shared_ptr<ExecLoop> loop) {
  return std::make_shared<ExecHandle>(kind, options, std::move(loop));
}

}  // namespace outbox::handlers
