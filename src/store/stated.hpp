// What people say when they change something by hand; kept in outbox.audit. Values only.
#pragma once

#include <string>

#include "core/limits.hpp"
#include "core/text.hpp"

namespace outbox::store {

/// Any bytes; either may be empty. Without an actor the setting outbox.actor of the session counts.
struct Stated {
  std::string why;
  std::string actor;

  /// As the database takes it.
  [[nodiscard]] Stated storable() const {
    return {.why = core::storable(why, core::kLastErrorBytesMax),
            .actor = core::storable(actor, core::kLastErrorBytesMax)};
  }
};

}  // namespace outbox::store
