// One job as text for people and as JSON. Pure.
#pragma once

#include <string>

#include "cli/output.hpp"
#include "store/jobs_list.hpp"
#include "store/jobs_show.hpp"

namespace outbox::cli {

[[nodiscard]] std::string list_text(const store::JobPage& page);
[[nodiscard]] std::string list_json(const store::JobPage& page);
[[nodiscard]] std::string detail_text(const store::JobDetail& detail);
/// The payload and headers stand there as PostgreSQL gave them, digit for digit.
[[nodiscard]] std::string detail_json(const store::JobDetail& detail);

}  // namespace outbox::cli
