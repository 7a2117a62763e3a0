// The end of a child is the end of its first process, told by its pidfd. The end of its outputs is
// not: whoever inherited them could hold them open for ever.
#include "handlers/child.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>

namespace outbox::handlers {

namespace {

/// What is read at once: as much as a pipe holds.
constexpr std::size_t kReadBytes = 65'536;
/// Reads from an output after its child's end: what a pipe can hold, which is 1 MiB at most, and
/// no more, if somebody else still writes.
constexpr int kLastReads = 16;
/// A killed process is gone within this time, unless it hangs in the kernel.
constexpr int kKilledMs = 100;

void close_if_open(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

Child::Child(Loop& loop, std::string_view input, const Outputs& outputs, Gone gone)
    : loop_{loop},
      input_{input},
      most_{outputs.most},
      gone_{std::move(gone)},
      out_{-1, Tail{outputs.out_kept}},
      err_{-1, Tail{outputs.err_kept}},
      control_{-1, Tail{outputs.control_kept}} {}

/// Ours does not block; what theirs does is up to the program.
bool Child::open(Pipe& pipe, int& theirs, bool we_write) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  pipe.fd = ends[we_write ? 1 : 0];
  theirs = ends[we_write ? 0 : 1];
  return ::fcntl(pipe.fd, F_SETFL, O_NONBLOCK) == 0;
}

std::variant<std::unique_ptr<Child>, SpawnFailure> Child::start(
    Loop& loop, Spawner& spawner, const Program& program,
    const std::vector<std::string>& environment, std::string_view input, const Outputs& outputs,
    Gone gone) {
  std::unique_ptr<Child> child{new Child{loop, input, outputs, std::move(gone)}};
  ChildFiles files;
  std::optional<SpawnFailure> failure;
  if (!child->open(child->in_, files.in, true) || !child->open(child->out_, files.out, false) ||
      !child->open(child->err_, files.err, false) ||
      (outputs.control_kept > 0 && !child->open(child->control_, files.control, false)))
    failure = SpawnFailure{"pipe", errno};
  if (!failure) {
    child->started_ = Loop::Clock::now();
    const auto spawned = spawner.start(program, environment, files);
    if (const auto* failed = std::get_if<SpawnFailure>(&spawned)) {
      failure = *failed;
    } else {
      child->spawned_ = std::get<Spawned>(spawned);
    }
  }
  for (int* fd : {&files.in, &files.out, &files.err, &files.control}) close_if_open(*fd);
  if (failure) return *failure;
  try {
    child->serve();
  } catch (const std::system_error& e) {
    return SpawnFailure{"epoll_ctl", e.code().value()};  // ~Child kills it
  }
  return child;
}

Child::~Child() {
  loop_.cancel(kill_timer_);
  for (auto* pipe : {&in_, &out_, &err_, &control_}) close(*pipe);
  if (spawned_.pidfd < 0) return;
  loop_.forget(spawned_.pidfd);
  signal(SIGKILL);
  pollfd wait{spawned_.pidfd, POLLIN, 0};
  (void)::poll(&wait, 1, kKilledMs);
  (void)reap(spawned_.pidfd);
  ::close(spawned_.pidfd);
}

void Child::serve() {
  loop_.watch(spawned_.pidfd, EPOLLIN, [this](std::uint32_t) { ended(); });
  watch_output(out_);
  watch_output(err_);
  if (control_.fd >= 0) watch_output(control_);
  feed();
  if (in_.fd >= 0) loop_.watch(in_.fd, EPOLLOUT, [this](std::uint32_t) { feed(); });
}

/// Writes what the pipe takes. A child that does not want it all is none the worse for it.
void Child::feed() {
  while (!input_.empty()) {
    const auto count = ::write(in_.fd, input_.data(), input_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) break;
    input_.remove_prefix(static_cast<std::size_t>(count));
  }
  close(in_);
}

void Child::watch_output(Pipe& pipe) {
  loop_.watch(pipe.fd, EPOLLIN, [this, &pipe](std::uint32_t) {
    if (!read(pipe)) close(pipe);
  });
}

/// False: there will be no more, or it is not wanted.
bool Child::read(Pipe& pipe) {
  std::array<char, kReadBytes> buffer;  // NOLINT(*-member-init): read() fills it
  const auto count = ::read(pipe.fd, buffer.data(), buffer.size());
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  if (count == 0) return false;
  pipe.tail.add({buffer.data(), static_cast<std::size_t>(count)});
  if (out_.tail.seen() + err_.tail.seen() + control_.tail.seen() <= most_) return true;
  overflow();
  return false;
}

void Child::close(Pipe& pipe) {
  if (pipe.fd < 0) return;
  loop_.forget(pipe.fd);
  close_if_open(pipe.fd);
}

void Child::overflow() {
  if (std::exchange(overflowed_, true)) return;
  kill();
}

void Child::signal(int number) const {
  // Not reaped yet, so nobody else can have the number of its group.
  (void)::kill(-spawned_.pid, number);
}

void Child::kill() {
  killed_ = true;
  signal(SIGKILL);
}

bool Child::terminate(core::milliseconds kill_after) {
  pollfd end{spawned_.pidfd, POLLIN, 0};
  if (::poll(&end, 1, 0) > 0) return false;
  const auto kill_at = Loop::Clock::now() + kill_after;
  if (kill_at >= kill_at_) return true;
  if (kill_at_ == Loop::Clock::time_point::max()) {
    signal(SIGTERM);
    signal(SIGCONT);  // one that is stopped could not hear it
  }
  kill_at_ = kill_at;
  loop_.cancel(kill_timer_);
  kill_timer_ = loop_.at(kill_at, [this] { kill(); });
  return true;
}

void Child::ended() {
  const auto ran = Loop::Clock::now() - started_;
  loop_.cancel(kill_timer_);
  // What it left behind, while its own pid, the group's number, cannot be given to others.
  signal(SIGKILL);
  loop_.forget(spawned_.pidfd);
  Ending ending;
  ending.status = reap(spawned_.pidfd);
  ending.killed = killed_;
  ending.ran = ran;
  close_if_open(spawned_.pidfd);
  for (auto* pipe : {&out_, &err_, &control_}) {
    for (int i = 0; pipe->fd >= 0 && i < kLastReads; ++i) {
      pollfd more{pipe->fd, POLLIN, 0};
      if (::poll(&more, 1, 0) <= 0 || !read(*pipe)) break;
    }
    close(*pipe);
  }
  close(in_);
  ending.overflowed = overflowed_;
  ending.out = std::move(out_.tail);
  ending.err = std::move(err_.tail);
  ending.control = std::move(control_.tail);
  const auto gone = std::move(gone_);
  gone(std::move(ending));  // this object may be no more
}

}  // namespace outbox::handlers
