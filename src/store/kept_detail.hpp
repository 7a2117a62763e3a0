// The detail of an attempt on its way into the database: it must never keep an end from being
// written. Only for the verbs of store/.
#pragma once

#include <string>
#include <string_view>

#include "core/fault.hpp"
#include "core/limits.hpp"

namespace outbox::store {

/// `detail`, or that it was too long.
[[nodiscard]] inline std::string kept_detail(std::string_view detail) {
  if (detail.size() <= core::kDetailBytesMax) return std::string{detail};
  return R"({"left_out": "the detail had )" + std::to_string(detail.size()) + " bytes; at most " +
         std::to_string(core::kDetailBytesMax) + R"( are kept"})";
}

/// Whether the server refused a value (SQLSTATE class 22), as it does with a detail that is no
/// JSON, or holds \u0000. Then nothing was written, and the same without the detail goes in.
[[nodiscard]] inline bool refused_value(const core::DbError& error) {
  return error.sqlstate().starts_with("22");
}

}  // namespace outbox::store
