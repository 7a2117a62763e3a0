// epoll for descriptors, its timeout for timers, an eventfd for other threads.
#include "handlers/loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>

namespace outbox::handlers {

namespace {

/// Events taken at once: many enough to be cheap, few enough that timers keep their time.
constexpr int kEventsMost = 64;

constexpr std::uint64_t pack(int fd, std::uint32_t number) {
  return std::uint64_t{number} << 32U | static_cast<std::uint32_t>(fd);
}

}  // namespace

Loop::Loop() : epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
  if (epoll_ < 0) throw std::system_error{errno, std::generic_category(), "epoll_create1"};
  watch(wakeup_.descriptor(), EPOLLIN, [this](std::uint32_t) { wakeup_.clear(); });
}

Loop::~Loop() { ::close(epoll_); }

void Loop::control(int operation, int fd, std::uint32_t events, std::uint32_t number) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = pack(fd, number);
  if (::epoll_ctl(epoll_, operation, fd, &event) == 0) return;
  throw std::system_error{errno, std::generic_category(),
                          "epoll_ctl of descriptor " + std::to_string(fd)};
}

void Loop::watch(int fd, std::uint32_t events, Watcher watcher) {
  const auto number = next_watch_++;
  // One that was closed without a forget() is gone from epoll, but not from here.
  try {
    control(EPOLL_CTL_ADD, fd, events, number);
  } catch (const std::system_error& e) {
    if (e.code().value() != EEXIST) throw;
    control(EPOLL_CTL_MOD, fd, events, number);
  }
  watches_[fd] = std::make_shared<Watch>(Watch{number, std::move(watcher)});
}

void Loop::modify(int fd, std::uint32_t events) {
  const auto found = watches_.find(fd);
  if (found == watches_.end())
    throw std::system_error{ENOENT, std::generic_category(),
                            "descriptor " + std::to_string(fd) + " is not watched"};
  control(EPOLL_CTL_MOD, fd, events, found->second->number);
}

void Loop::forget(int fd) {
  if (watches_.erase(fd) != 0) (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

Loop::TimerId Loop::at(Clock::time_point when, Function function) {
  // Not in the pass that is under way: timers that set themselves again must not keep out the rest.
  const TimerId timer{std::max(when, served_ + Clock::duration{1}), next_timer_++};
  timers_.emplace(timer, std::move(function));
  return timer;
}

void Loop::cancel(const TimerId& timer) { timers_.erase(timer); }

void Loop::post(Function function) {
  bool first = false;
  {
    const std::lock_guard lock{mutex_};
    first = posted_.empty();
    posted_.push_back(std::move(function));
  }
  if (first) wakeup_.notify();
}

void Loop::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
  }
  wakeup_.notify();
}

void Loop::run() {
  thread_ = std::this_thread::get_id();
  sigset_t pipe{};
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  while (run_posted()) {
    run_timers();
    wait();
  }
  thread_ = std::thread::id{};
}

/// False: it is time to stop.
bool Loop::run_posted() {
  std::vector<Function> functions;
  bool stopped = false;
  {
    const std::lock_guard lock{mutex_};
    functions.swap(posted_);
    stopped = stopped_;
  }
  for (auto& function : functions) function();
  return !stopped;
}

void Loop::run_timers() {
  served_ = Clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= served_) {
    auto timer = timers_.extract(timers_.begin());
    timer.mapped()();
  }
}

int Loop::wait_ms() const {
  if (timers_.empty()) return -1;
  constexpr std::chrono::milliseconds kLongest{3'600'000};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      std::min<Clock::duration>(timers_.begin()->first.first - Clock::now(), kLongest));
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

void Loop::wait() {
  std::array<epoll_event, kEventsMost> events{};
  const int count = ::epoll_wait(epoll_, events.data(), kEventsMost, wait_ms());
  if (count < 0 && errno != EINTR)
    throw std::system_error{errno, std::generic_category(), "epoll_wait"};
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    const auto found = watches_.find(static_cast<int>(event.data.u64 & 0xFFFF'FFFFU));
    if (found == watches_.end() || found->second->number != event.data.u64 >> 32U) continue;
    const auto watch = found->second;  // it may forget itself
    watch->watcher(event.events);
  }
}

}  // namespace outbox::handlers
