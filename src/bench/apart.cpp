// fork() without exec: the child has the code and the settings already.
#include "bench/apart.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace outbox::bench {

namespace {

using core::Error;
using core::ExitCode;

[[noreturn]] void be_child(pid_t parent, int keep, const std::function<void()>& body) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  constexpr int kFirst = 3;
  if (keep >= 0 && keep != kFirst) ::dup2(keep, kFirst);
  ::close_range(keep >= 0 ? kFirst + 1 : kFirst, ~0U, 0);
  try {
    body();
  } catch (const std::exception& e) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): iostreams are the parent's
    ::dprintf(STDERR_FILENO, "outboxd bench: %s\n", e.what());
    ::_exit(1);
  }
  ::_exit(0);  // what this frame's callers own is the parent's
}

}  // namespace

Apart::Apart(int keep, const std::function<void()>& body) {
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) be_child(parent, keep, body);
  if (pid_ < 0) {
    throw Error{ExitCode::failed,
                "there is no second process: " + std::generic_category().message(errno)};
  }
}

Apart::~Apart() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Apart::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw Error{ExitCode::failed, "the process beside the benchmark has failed"};
}

double Apart::cpu_seconds() const {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace outbox::bench
