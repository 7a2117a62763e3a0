// Which headers of a request somebody else may set. Pure.
#pragma once

#include <string>
#include <string_view>

namespace outbox::core {

/// Empty when the header may be sent; else what is wrong, as in "the header 'Host' is set by
/// outboxd itself". Names: HTTP tokens of at most 128 bytes that are not ours. Values: 1 to 4,096
/// bytes of printable ASCII, no space at either end. Quotes the name, never the value.
[[nodiscard]] std::string header_problem(std::string_view name, std::string_view value);

/// Empty when the text may be the value of a header; else what is wrong: "has ...", "is ...".
[[nodiscard]] std::string header_value_problem(std::string_view value);

/// ASCII letters in lower case: two headers are the same when this is.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace outbox::core
