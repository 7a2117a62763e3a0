// Descriptors enough for the requests and programs that may be under way at once.
#pragma once

#include <cstdint>

#include "core/options.hpp"
#include "observe/events.hpp"

namespace outbox::handlers {

/// Raises this process's soft limit of open files to the hard one, which is what that is for: the
/// usual soft limit of 1,024 only protects programs that use select(). Returns the limit that holds
/// now. Before threads that open files; programs that exec kinds run get a limit of their own.
std::int64_t raise_descriptor_limit();

/// Open files at most, about: connections to endpoints and to the database, pipes of children.
[[nodiscard]] std::int64_t descriptors_needed(const core::Options& options);

/// Raises the limit if there are http or exec kinds, and says so (Events::notice) when even then
/// fewer are allowed than needed: jobs would wait for a descriptor.
void provide_descriptors(const core::Options& options, observe::Events& events);

}  // namespace outbox::handlers
