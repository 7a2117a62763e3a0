// The table from faults to exit codes and hints.
#include "cli/failure.hpp"

#include <exception>
#include <iostream>

#include "core/text.hpp"

namespace outbox::cli {

namespace {

using core::ExitCode;
using core::Fault;

constexpr std::size_t kLineMost = 4'096;

/// The parts of a server's error text that are for people.
struct ServerText {
  std::string message;
  std::string hint;
};

bool take_prefix(std::string_view& line, std::string_view prefix) {
  if (line.substr(0, prefix.size()) != prefix) return false;
  line.remove_prefix(prefix.size());
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  return true;
}

/// Keeps message, detail and hint of "ERROR:  …\nDETAIL:  …\nHINT:  …\nCONTEXT:  …"; leaves any
/// other text whole.
ServerText parse_server_text(std::string_view text) {
  enum class Part { message, hint, skipped };
  ServerText out;
  Part part = Part::message;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (take_prefix(line, "ERROR:") || take_prefix(line, "FATAL:") ||
        take_prefix(line, "DETAIL:")) {
      part = Part::message;
    } else if (take_prefix(line, "HINT:")) {
      part = Part::hint;
    } else if (take_prefix(line, "CONTEXT:") || take_prefix(line, "LINE ") ||
               take_prefix(line, "QUERY:")) {
      part = Part::skipped;
    }
    if (part == Part::skipped || line.empty()) continue;
    std::string& to = part == Part::hint ? out.hint : out.message;
    if (!to.empty()) to += part == Part::hint ? " " : "; ";
    to += core::printable(line, kLineMost);
  }
  return out;
}

bool is_class(const std::string& sqlstate, std::string_view prefix) {
  return sqlstate.starts_with(prefix);
}

Failure describe_rejected(const core::DbError& error, const ServerText& text) {
  const std::string& state = error.sqlstate();
  if (state == "42P01" || state == "3F000" || state == "42883") {
    return {ExitCode::pending,
            "the database has no outboxd schema, or an older one: " + text.message,
            "outboxd migrate up"};
  }
  if (state == "42501") {
    return {ExitCode::failed, text.message,
            "grant the role what it needs, or connect as another one; retrying unchanged does not "
            "help"};
  }
  const bool bad_value = is_class(state, "22") || is_class(state, "23");
  return {bad_value ? ExitCode::usage : ExitCode::failed, text.message,
          text.hint.empty() ? "retrying unchanged does not help" : text.hint};
}

}  // namespace

Failure describe(const core::Error& error) { return {error.code(), error.what(), error.hint()}; }

Failure describe(const core::DbError& error) {
  const ServerText text = parse_server_text(error.what());
  switch (error.fault()) {
    case Fault::outage:
      return {ExitCode::unavailable, "the database cannot be used now: " + text.message,
              "check that the server runs and that address, database, user and password are right; "
              "retrying helps once they are"};
    case Fault::in_doubt:
      return {ExitCode::unavailable, "the connection was lost during COMMIT: " + text.message,
              "it is not known whether the change took effect: look before you run it again"};
    case Fault::conflict:
      return {ExitCode::failed, "another transaction was in the way: " + text.message,
              "nothing was changed; retrying helps"};
    case Fault::busy:
      return {ExitCode::busy, "a lock was not to be had in time: " + text.message,
              "nothing was changed; the job may be running now; retry later"};
    case Fault::canceled:
      return {ExitCode::busy, "the statement took too long or was cancelled: " + text.message,
              "nothing was changed; retry later"};
    case Fault::rejected:
      return describe_rejected(error, text);
    case Fault::bug:
      break;
  }
  return {ExitCode::internal, "outboxd used the database wrongly: " + text.message,
          "this is a bug in outboxd; please report it"};
}

std::string safe_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    out += core::printable(text.substr(0, end), kLineMost);
    if (end == std::string_view::npos) break;
    out += '\n';
    text.remove_prefix(end + 1);
  }
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

int report() {
  Failure failure;
  try {
    throw;
  } catch (const core::Error& e) {
    failure = describe(e);
  } catch (const core::DbError& e) {
    failure = describe(e);
  } catch (const std::exception& e) {
    failure = {ExitCode::internal, e.what(), "this is a bug in outboxd; please report it"};
  } catch (...) {
    failure = {ExitCode::internal, "an unknown exception",
               "this is a bug in outboxd; please report it"};
  }
  std::cerr << "outboxd: " << safe_lines(failure.message) << '\n';
  if (!failure.hint.empty()) std::cerr << "hint: " << safe_lines(failure.hint) << '\n';
  return core::to_int(failure.code);
}

}  // namespace outbox::cli
