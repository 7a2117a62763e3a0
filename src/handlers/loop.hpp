// An event loop: descriptors, timers and functions handed over by other threads, all on one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/pacing.hpp"
#include "engine/wakeup.hpp"

namespace outbox::handlers {

/// Thread contract: post(), stop() and inside() from any thread; all else on the thread in run(),
/// or before run() is called. Callbacks run on that thread, one at a time; they do not block, and
/// may call everything here. An exception that one lets out comes out of run().
class Loop {
 public:
  using Clock = core::Clock;
  using Function = std::function<void()>;
  /// Gets the EPOLL… bits that are up; EPOLLERR and EPOLLHUP come unasked.
  using Watcher = std::function<void(std::uint32_t events)>;
  /// Names a timer; a default one names none.
  using TimerId = std::pair<Clock::time_point, std::uint64_t>;

  Loop();  ///< Throws std::system_error when there is no descriptor left.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Calls `watcher` again and again while one of `events` (EPOLLIN, EPOLLOUT, EPOLLET…) is up; 0
  /// is fine. A descriptor that is watched already gets the new watcher. Throws std::system_error.
  void watch(int fd, std::uint32_t events, Watcher watcher);
  /// Other events for the watcher that `fd` has. Throws std::system_error.
  void modify(int fd, std::uint32_t events);
  /// No call comes after it, even one that is due already. Before close(fd); harmless for a
  /// descriptor that is not watched.
  void forget(int fd);

  /// Calls `function` once, at `when` or up to 1 ms later; at once when that is past.
  TimerId at(Clock::time_point when, Function function);
  /// No call comes after it. Harmless for a timer that has run.
  void cancel(const TimerId& timer);

  /// Calls `function` soon, in the order of the calls. What is posted after stop() may never run:
  /// it is destroyed with the loop.
  void post(Function function);

  /// Serves until stop(): what was posted before it is run first. Blocks SIGPIPE for its thread.
  void run();
  void stop();
  [[nodiscard]] bool inside() const { return thread_ == std::this_thread::get_id(); }

 private:
  struct Watch {
    std::uint32_t number{};  ///< Tells events of a descriptor from those of its predecessor.
    Watcher watcher;
  };

  void control(int operation, int fd, std::uint32_t events, std::uint32_t number) const;
  bool run_posted();
  void run_timers();
  void wait();
  [[nodiscard]] int wait_ms() const;

  int epoll_;
  engine::Wakeup wakeup_;
  std::uint32_t next_watch_{1};
  std::uint64_t next_timer_{1};
  Clock::time_point served_;  ///< All timers up to here have run.
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::map<TimerId, Function> timers_;
  std::atomic<std::thread::id> thread_;

  std::mutex mutex_;
  std::vector<Function> posted_;  // guarded by mutex_
  bool stopped_{false};           // guarded by mutex_
};

}  // namespace outbox::handlers
