// The real engine in this process, on the benchmark's queue, with one handler. Main thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bench/settings.hpp"
#include "engine/handler.hpp"
#include "engine/processor.hpp"
#include "observe/events.hpp"
#include "store/bench.hpp"

namespace outbox::bench {

/// The kind of every job of the benchmark.
inline constexpr const char* kKind = "outbox_bench";
/// As store::message_prefix makes them.
inline constexpr const char* kMessagePrefix = "msg_0123456789abcdef_";

struct RunOptions {
  bool history{true};
  int group_most{50};
  core::Lane lane{core::Lane::automatic};
};

[[nodiscard]] engine::Handler sql_handler(store::SqlBody body);
[[nodiscard]] engine::Handler effect_handler();
[[nodiscard]] engine::Handler no_op_handler();  ///< External: no transaction, does nothing.

class EngineRun {
 public:
  EngineRun(const Settings& settings, engine::Handler handler, const RunOptions& run,
            observe::Events::Tap tap = {});
  /// The same for an http or exec kind, as the configuration would have it.
  EngineRun(const Settings& settings, core::KindOptions kind, const RunOptions& run,
            observe::Events::Tap tap = {});
  ~EngineRun();
  EngineRun(const EngineRun&) = delete;
  EngineRun& operator=(const EngineRun&) = delete;

  /// Starts; claims wait until resume() when `paused`. Returns when it has registered and its lanes
  /// have looked.
  void start(bool paused);
  void resume();
  /// Waits until so many jobs are finished. Throws core::Error (failed) when nothing finishes for
  /// 30 s.
  void wait_finished(std::int64_t jobs);
  void stop();
  [[nodiscard]] std::int64_t finished() const { return events_.jobs_finished(); }

 private:
  void configure(const Settings& settings, const RunOptions& run, observe::Events::Tap tap);

  core::Options options_;
  observe::Events events_;
  engine::HandlerTable handlers_;
  std::unique_ptr<engine::Processor> processor_;
};

}  // namespace outbox::bench
