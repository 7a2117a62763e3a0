// Which lane runs which kind of one queue, now: by configuration, by how long its jobs take, and
// after a group that failed as a whole.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/pacing.hpp"
#include "engine/handler.hpp"
#include "observe/events.hpp"
#include "store/direct.hpp"

namespace outbox::engine {

/// Thread contract: any thread.
class LanePlan {
 public:
  LanePlan(std::string queue, const HandlerTable& handlers, observe::Events& events);

  /// The kinds of the direct lane; nullptr when it must stand back or has none.
  [[nodiscard]] std::shared_ptr<const store::DirectKinds> direct() const;

  struct ClaimedShare {
    std::vector<std::string> kinds;
    bool one_by_one{};  ///< After a failed group: claim a single job while nothing else of this
                        ///< queue runs.
  };
  [[nodiscard]] ClaimedShare claimed() const;
  /// All kinds that are not paused, of either lane.
  [[nodiscard]] std::vector<std::string> all_kinds() const;

  /// The kinds that are paused from now on, in place of those before; names of others do no harm.
  /// True when something changed: the lanes are to be woken.
  [[nodiscard]] bool set_paused(const std::vector<std::string>& kinds);
  /// This one, too, until the next set_paused().
  void pause(const std::string& kind);

  /// A handler's time; moves an automatic kind between the lanes when its mean says so. True when
  /// it did: the lanes are to be woken, the other one may be resting for lack of work.
  [[nodiscard]] bool observe(const std::string& kind, core::microseconds ran);

  /// A whole group was undone for a reason that one of its jobs may carry: the next `jobs` of this
  /// queue run one by one.
  void isolate(int jobs, std::string_view why);
  /// One of them ended, or none is left to claim.
  void isolated_one_done();
  void end_isolation();

 private:
  struct Kind {
    core::Lane lane{};  ///< automatic: by its mean time
    bool slow{false};
    bool sql{false};
    bool paused{false};
    core::MeanTime mean;
  };
  void rebuild();

  const std::string queue_;
  const HandlerTable& handlers_;
  observe::Events& events_;

  mutable std::mutex mutex_;
  std::map<std::string, Kind> kinds_;                 // guarded by mutex_
  std::shared_ptr<const store::DirectKinds> direct_;  // guarded by mutex_
  std::vector<std::string> claimed_;                  // guarded by mutex_
  std::vector<std::string> all_kinds_;                // guarded by mutex_
  int isolated_left_{0};                              // guarded by mutex_
};

}  // namespace outbox::engine
