// What the parts of one load share.
#pragma once

#include <string>

#include "config/environment.hpp"
#include "config/errors.hpp"

namespace outbox::config {

struct Context {
  Errors& errors;
  const Environment& environment;
  std::string folder;  ///< Of the configuration file: relative paths in it start here. Empty: the
                       ///< working directory.
};

}  // namespace outbox::config
