// fork() would copy the page tables of a large processor for each job, which costs more than most
// jobs; posix_spawn() knows neither limits nor users. So clone(CLONE_VM | CLONE_VFORK): this thread
// stands still until the child has called execve(). The child uses system calls only: glibc's
// wrappers would change what it shares with us (setuid() signals all threads, sanitizers keep
// books).
#include "handlers/spawn.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <limits>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__
// The sanitizer's clone() takes the child for one after a fork(), and makes it forget our threads:
// in the memory that it shares with us.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);  // NOLINT: glibc's own name
#define OUTBOX_CLONE __clone
#else
#define OUTBOX_CLONE ::clone
#endif

namespace outbox::handlers {

namespace {

static_assert(sizeof(long) == 8, "system calls are made as 64-bit Linux takes them");

constexpr std::size_t kStackBytes = 65'536;
constexpr std::size_t kGuardBytes = 65'536;  // a whole page wherever pages are large
constexpr int kFirstFree = 4;                // descriptors below it are the child's own
constexpr std::uint64_t kAllSignals = ~std::uint64_t{0};

/// What the child needs, and where it leaves why it failed. In memory that both share.
struct Errand {
  const Program& program;
  char* const* argv;
  char* const* environment;
  std::array<int, kFirstFree> files;
  pid_t parent;
  SpawnFailure failure{};
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

#define OUTBOX_IN_CHILD \
  [[gnu::noinline]] __attribute__((no_sanitize("address", "thread", "undefined")))

OUTBOX_IN_CHILD bool set_signals() {
  // As large as any struct sigaction of the kernel; all zero is SIG_DFL.
  const std::array<std::uint64_t, 8> by_default{};
  for (int signal = 1; signal <= 64; ++signal) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    if (::syscall(SYS_rt_sigaction, signal, by_default.data(), nullptr, sizeof kAllSignals) != 0)
      return false;
  }
  return true;
}

/// Puts each descriptor where the program expects it and closes all others.
OUTBOX_IN_CHILD bool set_files(std::array<int, kFirstFree>& files) {
  for (int& fd : files) {  // out of the way of those that come first
    if (fd >= 0 && fd < kFirstFree) {
      fd = static_cast<int>(::syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, kFirstFree));
      if (fd < 0) return false;
    }
  }
  int used = 0;
  for (int target = 0; target < kFirstFree; ++target) {
    const int fd = files[static_cast<std::size_t>(target)];
    if (fd < 0) break;
    if (::syscall(SYS_dup3, fd, target, 0) < 0) return false;
    used = target + 1;
  }
  return ::syscall(SYS_close_range, used, ~0U, 0) == 0;
}

OUTBOX_IN_CHILD bool set_limits(const Program& program) {
  for (const auto& [resource, limit] : program.limits) {
    if (::syscall(SYS_prlimit64, 0, resource, &limit, nullptr) != 0) return false;
  }
  return true;
}

OUTBOX_IN_CHILD bool become(const RunAs& user) {
  return ::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) == 0 &&
         ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

/// Returns only the name of the step that failed, with its errno.
OUTBOX_IN_CHILD const char* make_ready(Errand& errand) {
  const auto& program = errand.program;
  if (::syscall(SYS_setsid) < 0) return "setsid";
  if (!set_signals()) return "rt_sigaction";
  if (!set_files(errand.files)) return "dup3";
  if (!set_limits(program)) return "setrlimit";
  if (program.user && !become(*program.user)) return "setuid";
  if (::syscall(SYS_chdir, program.cwd.c_str()) != 0) return "chdir";
  ::syscall(SYS_umask, program.umask);
  if (::syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "no_new_privs";
  // After the change of user, which would undo it. Whoever died before this is not our parent now.
  if (::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return "pdeathsig";
  if (::syscall(SYS_getppid) != errand.parent) ::syscall(SYS_exit_group, 127);
  const std::uint64_t none = 0;
  if (::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none) != 0)
    return "rt_sigprocmask";
  ::syscall(SYS_execve, errand.argv[0], errand.argv, errand.environment);
  return "execve";
}

OUTBOX_IN_CHILD int child(void* argument) {
  auto& errand = *static_cast<Errand*>(argument);
  errand.failure.step = make_ready(errand);
  errand.failure.error = errno;
  ::syscall(SYS_exit_group, 127);
  __builtin_unreachable();
}

#undef OUTBOX_IN_CHILD

/// `wanted`, or less when this process may not give so much.
std::pair<int, rlimit> limit(int resource, std::uint64_t wanted, std::uint64_t beyond = 0) {
  rlimit own{};
  ::getrlimit(static_cast<__rlimit_resource>(resource), &own);
  return {
      resource,
      {std::min<rlim_t>(wanted, own.rlim_max), std::min<rlim_t>(wanted + beyond, own.rlim_max)}};
}

}  // namespace

Program make_program(const core::ExecHandler& settings, std::optional<RunAs> user) {
  Program program{
      settings.argv, settings.cwd, static_cast<mode_t>(settings.umask), std::move(user), {}};
  auto& limits = program.limits;
  limits.push_back(limit(RLIMIT_CORE, 0));
  limits.push_back(limit(RLIMIT_NOFILE, static_cast<std::uint64_t>(settings.files)));
  const auto add = [&](int resource, std::int64_t wanted, std::uint64_t beyond = 0) {
    if (wanted > 0) limits.push_back(limit(resource, static_cast<std::uint64_t>(wanted), beyond));
  };
  add(RLIMIT_AS, settings.memory);
  // SIGXCPU at the limit, SIGKILL a second later to one that does not care.
  add(RLIMIT_CPU, std::chrono::ceil<std::chrono::seconds>(settings.cpu).count(), 1);
  add(RLIMIT_NPROC, settings.processes);
  add(RLIMIT_FSIZE, settings.file_size);
  return program;
}

bool SpawnFailure::no_room() const {
  return error == EAGAIN || error == EMFILE || error == ENFILE || error == ENOMEM ||
         error == ENOSPC;
}

Spawner::Spawner()
    : stack_{static_cast<char*>(::mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0))} {
  if (stack_ == MAP_FAILED || ::mprotect(stack_, kGuardBytes, PROT_NONE) != 0)
    throw std::system_error{errno, std::generic_category(), "mmap of a stack"};
}

Spawner::~Spawner() { ::munmap(stack_, kGuardBytes + kStackBytes); }

std::variant<Spawned, SpawnFailure> Spawner::start(const Program& program,
                                                   const std::vector<std::string>& environment,
                                                   const ChildFiles& files) {
  const auto argv = pointers(program.argv);
  const auto names = pointers(environment);
  Errand errand{program,
                argv.data(),
                names.data(),
                {files.in, files.out, files.err, files.control},
                ::getpid()};
  // Until it has no handlers, no signal may run one of ours in the child. All of them, those that
  // glibc keeps for itself as well.
  std::uint64_t before = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &kAllSignals, &before, sizeof before);
  int pidfd = -1;
  const int pid = OUTBOX_CLONE(child, stack_ + kGuardBytes + kStackBytes,
                               CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &errand, &pidfd);
  const int error = errno;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof before);
  if (pid < 0) return SpawnFailure{"clone", error};
  if (errand.failure.step == nullptr) return Spawned{pid, pidfd};
  siginfo_t info{};
  ::syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED, nullptr);
  ::close(pidfd);
  return errand.failure;
}

ChildStatus reap(int pidfd) {
  ChildStatus status;
  siginfo_t info{};
  if (::syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG, &status.usage) != 0 ||
      info.si_pid == 0)
    return status;
  (info.si_code == CLD_EXITED ? status.code : status.signal) = info.si_status;
  return status;
}

}  // namespace outbox::handlers
