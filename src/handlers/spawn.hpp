// Starts a program without copying this process: a child that shares our memory until it has made
// itself ready, and then becomes the program. Linux 5.9 or newer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <utility>
#include <variant>
#include <vector>

#include "core/options.hpp"

namespace outbox::handlers {

/// Another user to run as.
struct RunAs {
  uid_t uid{};
  gid_t gid{};
  std::vector<gid_t> groups;
};

/// What all children of a kind share. Constant once made.
struct Program {
  std::vector<std::string> argv;
  std::string cwd;
  mode_t umask{};
  std::optional<RunAs> user;
  std::vector<std::pair<int, rlimit>> limits;  ///< RLIMIT_… and its values.
};

/// Limits cut to what this process may give: nobody but root can raise its own.
[[nodiscard]] Program make_program(const core::ExecHandler& settings, std::optional<RunAs> user);

/// Descriptors for the child's 0, 1, 2 and, unless negative, 3; it gets no others.
struct ChildFiles {
  int in{-1};
  int out{-1};
  int err{-1};
  int control{-1};
};

struct Spawned {
  pid_t pid{};  ///< Also the number of its process group and session.
  int pidfd{};  ///< Close-on-exec; readable once it has ended.
};

struct SpawnFailure {
  const char* step{};  ///< What failed: "execve", "chdir", "clone", …
  int error{};         ///< errno.
  /// This machine is short of something: nothing is wrong with the program.
  [[nodiscard]] bool no_room() const;
};

/// Memory for one child at a time to make itself ready in. Thread contract: one thread. Its
/// children get SIGKILL when that thread ends, however it ends.
class Spawner {
 public:
  Spawner();  ///< Throws std::system_error when there is no memory.
  ~Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  /// Returns when the child has become the program, or failed to (there is no child then). Leads a
  /// session and a process group of its own, with an empty signal mask, no handlers, no way to more
  /// rights (no_new_privs) and `environment` ("NAME=value") alone.
  [[nodiscard]] std::variant<Spawned, SpawnFailure> start(
      const Program& program, const std::vector<std::string>& environment, const ChildFiles& files);

 private:
  char* stack_;
};

/// How a child ended.
struct ChildStatus {
  std::optional<int> code;
  std::optional<int> signal;  ///< Neither: somebody else took its status.
  rusage usage{};             ///< Its own and that of the children it has waited for.
};

/// Takes the status of a child that has ended, which frees its pid. Does not wait.
[[nodiscard]] ChildStatus reap(int pidfd);

}  // namespace outbox::handlers
