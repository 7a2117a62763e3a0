// Texts here are read by somebody who has to mend a script: the code or signal, what it most likely
// means, and the last lines that it wrote.
#include "handlers/exec_answer.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <system_error>

#include <nlohmann/json.hpp>

#include "core/duration.hpp"
#include "core/text.hpp"
#include "handlers/control.hpp"

namespace outbox::handlers {

using core::milliseconds;

namespace {

/// Of the tails in Task::detail, as JSON, both together; the numbers beside them need little.
constexpr std::size_t kTailsMost = 31 * 1'024;
/// Of the last lines in the text of an error.
constexpr std::size_t kWhyTailMost = 2'048;
constexpr int kWhyLines = 10;

bool has(const std::vector<int>& codes, int code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? std::string{"SIG"} + name : "signal " + std::to_string(number);
}

/// Without the second half of a character at its start.
std::string_view from_character(std::string_view tail, bool cut) {
  for (int i = 0; cut && i < 3 && !tail.empty(); ++i) {
    if ((static_cast<unsigned char>(tail.front()) & 0xC0U) != 0x80U) break;
    tail.remove_prefix(1);
  }
  return tail;
}

std::string kept(const Tail& output, std::int64_t most) {
  auto tail = output.text();
  const auto bytes = static_cast<std::size_t>(most);
  const bool cut = output.cut() || tail.size() > bytes;
  if (tail.size() > bytes) tail.remove_prefix(tail.size() - bytes);
  tail = from_character(tail, cut);
  return core::storable(tail, 3 * tail.size());  // U+FFFD takes three bytes for one
}

std::string_view trimmed(std::string_view text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view{} : text.substr(0, end + 1);
}

/// Empty when its start is lost.
std::string_view last_line(const Tail& output) {
  const auto text = trimmed(output.text());
  const auto newline = text.rfind('\n');
  if (newline != std::string_view::npos) return text.substr(newline + 1);
  return output.cut() ? std::string_view{} : text;
}

/// ": " and the last lines of stderr, or else of stdout; nothing when there are none.
std::string last_words(const core::ExecHandler& settings, const Ending& ending) {
  for (const auto* output : {&ending.err, &ending.out}) {
    const auto text = kept(*output, std::min<std::int64_t>(settings.output_kept, kWhyTailMost));
    auto rest = trimmed(text);
    std::size_t start = rest.size();
    for (int line = 0; line < kWhyLines && start > 0; ++line) {
      start = rest.rfind('\n', start - 1);
      if (start == std::string_view::npos) start = 0;
    }
    rest.remove_prefix(std::min(rest.find_first_not_of('\n', start), rest.size()));
    if (!rest.empty()) return ": " + std::string{rest};
  }
  return {};
}

/// What most likely sent it.
std::string meaning(const core::ExecHandler& settings, int signal) {
  switch (signal) {
    case SIGXCPU:
      return "; it used more than `cpu: " + core::format_duration(settings.cpu) + "`";
    case SIGXFSZ:
      return "; a file grew beyond `file_size`";
    case SIGKILL:
      return settings.cpu.count() > 0
                 ? "; by its limit `cpu`, a person, or a system short of memory"
                 : "; by a person, or a system short of memory";
    case SIGSEGV:
    case SIGBUS:
    case SIGABRT:
    case SIGILL:
    case SIGFPE:
      return "; core dumps are off";
    default:
      return {};
  }
}

ExecAnswer undone(Outcome outcome, const char* how) {
  return {store::undone(std::move(outcome)), how};
}

/// What the child said besides a code that means done.
ExecAnswer by_control(const core::ExecHandler& settings, const Ending& ending) {
  std::string_view said;
  if (settings.control == core::ExecControl::last_line) said = last_line(ending.out);
  if (settings.control == core::ExecControl::fd3) said = last_line(ending.control);
  std::string problem;
  auto outcome = read_control(said, problem);
  if (!outcome && problem.empty() && settings.control == core::ExecControl::fd3 &&
      ending.control.seen() > 0)
    problem = R"(control: descriptor 3 says neither {"snooze": "5m"} nor {"discard": "why"})";
  if (!problem.empty()) return undone(Retry{problem}, "retry");
  if (!outcome) return {store::RanDone{}, "done"};
  const bool snooze = std::holds_alternative<Snooze>(*outcome);
  return undone(*std::move(outcome), snooze ? "snooze" : "dead");
}

std::string timeout_text(const core::KindOptions& kind, const Ending& ending) {
  return "it ran longer than its timeout of " + core::format_duration(kind.timeout) +
         (ending.killed ? "; SIGTERM did not end it within " +
                              core::format_duration(kind.exec->kill_after) + ", SIGKILL did"
                        : "; SIGTERM ended it");
}

/// Of valid UTF-8: the longest end that takes at most `most` bytes as JSON.
std::string_view json_tail(std::string_view text, std::size_t most) {
  std::size_t cost = 0;
  std::size_t start = text.size();
  for (std::size_t i = text.size(); i-- > 0;) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool short_escape = c == '"' || c == '\\' || (c >= 8 && c <= 13 && c != 11);
    cost += short_escape ? 2 : c < 0x20 ? 6 : 1;
    if (cost > most) break;
    if ((c & 0xC0U) != 0x80U) start = i;
  }
  return text.substr(start);
}

std::size_t json_bytes(std::string_view text) { return nlohmann::json(text).dump().size() - 2; }

}  // namespace

ExecAnswer exec_answer(const core::KindOptions& kind, const Ending& ending, bool timed_out) {
  const auto& settings = *kind.exec;
  const auto& status = ending.status;
  const auto words = last_words(settings, ending);
  if (ending.overflowed) {
    return undone(Retry{"it wrote more than `output_most`, " +
                        std::to_string(settings.output_most) + " bytes, and was killed" + words},
                  "retry");
  }
  if (timed_out) {
    return {store::RanUndone{Retry{timeout_text(kind, ending) + words}, "timeout", {}}, "timeout"};
  }
  if (status.signal) {
    return undone(
        Retry{"killed by " + signal_name(*status.signal) + " (" + std::to_string(*status.signal) +
              ")" + meaning(settings, *status.signal) + words},
        "signal");
  }
  if (!status.code) {
    return undone(Retry{"somebody else in this process took its exit code; nothing but outboxd may "
                        "wait for children"},
                  "retry");
  }
  if (has(settings.done_codes, *status.code)) return by_control(settings, ending);
  const auto why = "exit code " + std::to_string(*status.code) + words;
  if (has(settings.dead_codes, *status.code)) return undone(Discard{why}, "dead");
  return undone(Retry{why}, "retry");
}

ExecAnswer spawn_answer(const core::ExecHandler& settings, const std::string& kind,
                        const SpawnFailure& failure, double spread) {
  if (failure.no_room()) {
    const milliseconds delay{1'000 + static_cast<std::int64_t>(1'000 * spread)};
    return undone(Snooze{delay}, "snooze");
  }
  const std::string step{failure.step};
  std::string hint;
  if (step == "execve") {
    hint = failure.error == ENOENT    ? "; expected a program there, and the one that its #! names"
           : failure.error == ENOEXEC ? "; expected a program, or a script that starts with #!"
           : failure.error == EACCES  ? "; expected it and its folders to be open to its user"
                                      : "";
  } else if (step == "chdir") {
    hint = "; expected `cwd: " + settings.cwd + "` to be a folder open to its user";
  } else if (step == "setuid") {
    hint = "; expected outboxd to be root, for `user: " + settings.user + "`";
  }
  return undone(Retry{"kind " + kind + ": " + settings.argv.front() + " cannot be started: " +
                      step + ": " + std::system_category().message(failure.error) + hint},
                "retry");
}

std::string exec_detail(const core::ExecHandler& settings, const Ending& ending) {
  nlohmann::json detail = nlohmann::json::object();
  if (ending.status.code) detail["exit"] = *ending.status.code;
  if (ending.status.signal) detail["signal"] = signal_name(*ending.status.signal);
  const auto ms = [](const timeval& time) { return time.tv_sec * 1'000 + time.tv_usec / 1'000; };
  detail["ms"] = std::chrono::duration_cast<milliseconds>(ending.ran).count();
  detail["cpu_ms"] = ms(ending.status.usage.ru_utime) + ms(ending.status.usage.ru_stime);
  detail["stdout_bytes"] = ending.out.seen();
  detail["stderr_bytes"] = ending.err.seen();
  if (settings.output_kept == 0) return detail.dump();
  const auto out = kept(ending.out, settings.output_kept);
  const auto err = kept(ending.err, settings.output_kept);
  // Half for each, and what one leaves for the other.
  const auto need_out = json_bytes(out);
  const auto need_err = json_bytes(err);
  constexpr auto kHalf = kTailsMost / 2;
  detail["stdout"] = json_tail(out, std::max(kHalf, kTailsMost - std::min(need_err, kTailsMost)));
  detail["stderr"] = json_tail(err, std::max(kHalf, kTailsMost - std::min(need_out, kTailsMost)));
  return detail.dump();
}

}  // namespace outbox::handlers
