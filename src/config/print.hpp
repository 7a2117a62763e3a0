// The effective configuration as YAML, for people and for loading again.
#pragma once

#include <string>

#include "core/options.hpp"

namespace outbox::config {

/// Every setting, defaults included, under the key that loads it. Loads again to the same options,
/// except that each password in the connection string is replaced by "[secret]". Secrets of
/// handlers are shown as the file or variable they came from.
[[nodiscard]] std::string print(const core::Options& options);

}  // namespace outbox::config
