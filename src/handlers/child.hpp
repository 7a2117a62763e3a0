// One child, from its start to its end: feeds it, reads what it writes, ends it when told to.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "handlers/loop.hpp"
#include "handlers/spawn.hpp"
#include "handlers/tail.hpp"

namespace outbox::handlers {

/// What is read of a child's outputs.
struct Outputs {
  std::size_t out_kept{};      ///< Bytes of the tail of stdout.
  std::size_t err_kept{};      ///< Bytes of the tail of stderr.
  std::size_t control_kept{};  ///< Bytes of the tail of descriptor 3; 0: it gets none.
  std::int64_t most{};         ///< Bytes in all; a child that writes more is killed.
};

/// What is known of a child that is no more.
struct Ending {
  ChildStatus status;
  bool overflowed{false};  ///< Killed because it wrote too much.
  bool killed{false};      ///< Got SIGKILL from us while it ran.
  Tail out;
  Tail err;
  Tail control;
  Loop::Clock::duration ran{};
};

/// Thread contract: the loop's thread only.
class Child {
 public:
  /// Called once, when it has ended, its group was killed and its pipes are closed. May destroy the
  /// Child.
  using Gone = std::function<void(Ending)>;

  /// `input` must stay as it is as long as the Child. No child when it fails.
  [[nodiscard]] static std::variant<std::unique_ptr<Child>, SpawnFailure> start(
      Loop& loop, Spawner& spawner, const Program& program,
      const std::vector<std::string>& environment, std::string_view input, const Outputs& outputs,
      Gone gone);

  /// One that still runs is killed, and Gone is not called.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// SIGTERM to its group now, SIGKILL after `kill_after`. A second call may only shorten the time.
  /// False: it has ended by itself, Gone is about to be called.
  bool terminate(core::milliseconds kill_after);

 private:
  /// Our end of a pipe; closed by close() or with the child.
  struct Pipe {
    int fd{-1};
    Tail tail{};
  };

  Child(Loop& loop, std::string_view input, const Outputs& outputs, Gone gone);

  bool open(Pipe& pipe, int& theirs, bool we_write);
  void serve();
  void feed();
  bool read(Pipe& pipe);
  void watch_output(Pipe& pipe);
  void close(Pipe& pipe);
  void overflow();
  void signal(int number) const;
  void kill();
  void ended();

  Loop& loop_;
  std::string_view input_;  ///< What is left of it.
  std::int64_t most_;
  Gone gone_;
  Pipe in_;
  Pipe out_;
  Pipe err_;
  Pipe control_;
  Spawned spawned_{0, -1};
  Loop::Clock::time_point started_;
  Loop::Clock::time_point kill_at_{Loop::Clock::time_point::max()};
  Loop::TimerId kill_timer_{};
  bool overflowed_{false};
  bool killed_{false};
};

}  // namespace outbox::handlers
