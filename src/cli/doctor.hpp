// The command outboxd doctor, and how its findings look. Main thread; no SQL.
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "store/doctor.hpp"

namespace outbox::cli {

void add_doctor(CLI::App& app, const OnRun& on_run);

/// A line for each check that has nothing to tell, a block for each finding that has; a fix stands
/// at the start of its lines, so that it can be copied. Pure.
[[nodiscard]] std::string doctor_text(const std::vector<store::doctor::Finding>& findings);

/// One document. Pure.
[[nodiscard]] std::string doctor_json(const std::vector<store::doctor::Finding>& findings,
                                      bool strict);

/// drift when there is a problem, or, if `strict`, a warning. Pure.
[[nodiscard]] core::ExitCode doctor_exit(const std::vector<store::doctor::Finding>& findings,
                                         bool strict);

}  // namespace outbox::cli
