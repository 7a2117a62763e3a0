// Values as text of a PostgreSQL array, for parameters that are cast in the statement ($1::text[]).
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace outbox::pg {

/// {1,2,3}
[[nodiscard]] std::string int_array(const std::vector<std::int64_t>& values);

/// Reads {1,2,3}; empty for an empty text (NULL). Throws std::invalid_argument for anything else.
[[nodiscard]] std::vector<std::int64_t> ints(std::string_view array);

/// {"a","b"}, quoted and escaped. An empty string becomes NULL when `empty_is_null`.
enum class Empty { keep, is_null };
[[nodiscard]] std::string text_array(const std::vector<std::string>& values,
                                     Empty empty = Empty::keep);

/// {1.5,2}
[[nodiscard]] std::string double_array(const std::vector<double>& values);

}  // namespace outbox::pg
