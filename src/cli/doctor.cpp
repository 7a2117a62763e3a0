// Options and output of the doctor.
#include "cli/doctor.hpp"

#include <algorithm>
#include <sstream>

#include <outbox/version.hpp>

#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "config/load.hpp"

namespace outbox::cli {

namespace {

using store::doctor::Finding;
using store::doctor::Status;

struct DoctorCommand : DataOptions {
  bool strict{};
};

const char* status_name(Status status) {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::warning:
      return "warning";
    case Status::problem:
      return "problem";
    case Status::skipped:
      return "skipped";
  }
  return "problem";
}

std::int64_t how_many(const std::vector<Finding>& findings, Status status) {
  return std::count_if(findings.begin(), findings.end(),
                       [status](const Finding& finding) { return finding.status == status; });
}

/// A function's whole text would hide the other findings.
std::string shortened(const std::string& fix) {
  constexpr int kLines = 12;
  std::size_t at = 0;
  for (int line = 0; line < kLines; ++line) {
    at = fix.find('\n', at);
    if (at == std::string::npos) return fix;
    ++at;
  }
  const auto more = std::count(fix.begin() + static_cast<std::ptrdiff_t>(at), fix.end(), '\n') + 1;
  return fix.substr(0, at) + "-- ... " + std::to_string(more) +
         " lines more: outboxd doctor --json has all of it";
}

/// A configuration file names the connection that a processor would have.
bool names_config(const Target& target) {
  if (!target.config.empty()) return true;
  return target.url.empty() && config::process_environment()("OUTBOX_URL").value_or("").empty();
}

core::ExitCode examine(const DoctorCommand& command) {
  auto database = connect(command.target, "doctor");
  const auto options = database_options(command.target);
  const auto findings = store::doctor::examine(database,
                                               [&](store::Use use) {
                                                 return store::Database{options, "doctor", use};
                                               },
                                               {.as_processor = names_config(command.target)});
  print(command.json ? doctor_json(findings, command.strict) : doctor_text(findings));
  return doctor_exit(findings, command.strict);
}

}  // namespace

std::string doctor_text(const std::vector<Finding>& findings) {
  constexpr std::size_t kStatusWidth = 7;
  constexpr std::size_t kCheckWidth = 12;
  std::string text;
  for (const auto& finding : findings) {
    text += padded(status_name(finding.status), kStatusWidth) + ' ' +
            padded(finding.check, kCheckWidth) + ' ' + safe_lines(finding.what) + '\n';
    if (!finding.why.empty()) text += "  why: " + safe_lines(finding.why) + '\n';
    if (!finding.fix.empty()) text += "  fix:\n" + shortened(safe_lines(finding.fix)) + "\n\n";
  }
  return text + std::to_string(how_many(findings, Status::ok)) + " ok, " +
         std::to_string(how_many(findings, Status::warning)) + " warnings, " +
         std::to_string(how_many(findings, Status::problem)) + " problems, " +
         std::to_string(how_many(findings, Status::skipped)) + " skipped\n";
}

std::string doctor_json(const std::vector<Finding>& findings, bool strict) {
  Json list = Json::array();
  for (const auto& finding : findings) {
    list.push_back({{"check", finding.check},
                    {"status", status_name(finding.status)},
                    {"what", finding.what},
                    {"why", json_text(finding.why)},
                    {"fix", json_text(finding.fix)}});
  }
  return document({{"version", std::string{kVersion}},
                   {"healthy", doctor_exit(findings, strict) == core::ExitCode::ok},
                   {"ok", how_many(findings, Status::ok)},
                   {"warnings", how_many(findings, Status::warning)},
                   {"problems", how_many(findings, Status::problem)},
                   {"skipped", how_many(findings, Status::skipped)},
                   {"findings", list}});
}

core::ExitCode doctor_exit(const std::vector<Finding>& findings, bool strict) {
  const bool sick = how_many(findings, Status::problem) > 0 ||
                    (strict && how_many(findings, Status::warning) > 0);
  return sick ? core::ExitCode::drift : core::ExitCode::ok;
}

void add_doctor(CLI::App& app, const OnRun& on_run) {
  const auto options = std::make_shared<DoctorCommand>();
  auto& command = add_data_command(
      app, "doctor", "Check the database: what is wrong, why it matters, how to mend it", *options);
  command.add_flag("--strict", options->strict, "Exit code 4 for warnings as well");
  command.callback([options, on_run] { on_run([options] { return examine(*options); }); });
}

}  // namespace outbox::cli
