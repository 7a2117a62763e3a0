// What an external handler got back, laid out for people. Pure.
#pragma once

#include <string>

namespace outbox::cli {

/// A line for each member of the JSON object `detail`, indented; of a text with several lines the
/// last ones. Printable whatever it holds; at most some kilobytes for each member. Empty for an
/// empty `detail`.
[[nodiscard]] std::string detail_lines(const std::string& detail);

}  // namespace outbox::cli
