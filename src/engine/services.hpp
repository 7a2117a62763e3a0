// What every part of a running processor shares; owned by Processor, outlives all threads.
// References only.
#pragma once

#include <atomic>
#include <functional>

#include "core/error.hpp"
#include "core/options.hpp"
#include "engine/handler.hpp"
#include "engine/membership.hpp"
#include "engine/solo.hpp"
#include "engine/waker.hpp"
#include "observe/events.hpp"

namespace outbox::engine {

struct Services {
  const core::Options& options;
  const HandlerTable& handlers;
  observe::Events& events;
  Membership& membership;
  Waker& waker;
  SoloGate& solo;
  std::atomic<int>& suspects_hint;  ///< Goes up when this process has rescued jobs: dispatchers
                                    ///< then look for suspects.
  /// Asks the program to stop this process, and says why: a handler is stuck, or the schema is none
  /// that it can run on.
  std::function<void(const core::Error&)> give_up{};
};

}  // namespace outbox::engine
