// JSON that a person gives on the command line: as text, from a file, or from standard input. Main
// thread.
#pragma once

#include <string>

namespace outbox::cli {

enum class Expect { anything, object };

/// `given` is JSON text, @FILE, or - for standard input; at most 64 MiB. Returns the text as it
/// stands, so that numbers keep their digits. Throws core::Error (usage) naming `option` when it
/// cannot be read or is not JSON as expected.
[[nodiscard]] std::string read_json(const std::string& option, const std::string& given,
                                    Expect expect);

}  // namespace outbox::cli
