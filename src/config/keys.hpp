// The names of all settings, taken from the list of fields: for hints, and for the test of the
// example file.
#pragma once

#include <string>
#include <vector>

namespace outbox::config {

/// `path` as in "processor.heartbeat"; "*" stands for the name of a queue or kind:
/// "queues.*.history". `range` is what is accepted in words ("100ms to 1m"), empty for free text.
struct Key {
  std::string path;
  std::string range;
};

/// Settings only, not the sections around them. The order is that of the file.
[[nodiscard]] const std::vector<Key>& known_keys();

}  // namespace outbox::config
