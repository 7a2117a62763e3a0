// outboxd with the handlers of the chaos runs: effects in the job's transaction and outside, and
// handlers that take their process down. CHAOS_OUTSIDE names the file that stands for the outside
// world, CHAOS_STARTS one for the starts of handlers.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <outbox/outbox.hpp>

#include "chaos/history.hpp"

namespace {

using outbox::chaos::Effect;

struct Wanted {
  int producer{};
  std::int64_t seq{};
  int fail{};
  std::chrono::milliseconds sleep{};
};

Wanted read(const outbox::Job& job) {
  const auto json = nlohmann::json::parse(job.payload);
  return {json.value("p", 0), json.value("s", std::int64_t{0}), json.value("fail", 0),
          std::chrono::milliseconds{json.value("sleep", 2)}};
}

void fail_if_told(const outbox::Job& job, const Wanted& wanted) {
  if (job.attempt <= wanted.fail) throw std::runtime_error{"it fails, as it was told"};
}

/// One write, appended: what stands in the file has happened, whatever happens to this process.
void note(int file, const outbox::Job& job, const Wanted& wanted) {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const auto line =
      to_line(Effect{{wanted.producer, wanted.seq}, job.id, job.attempt, now.count(), {}});
  if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    throw std::runtime_error{"the outside world does not answer"};
}

int open_file(const char* variable) {
  return ::open(std::getenv(variable), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

Wanted start(const outbox::Job& job) {
  static const int starts = open_file("CHAOS_STARTS");
  const auto wanted = read(job);
  note(starts, job, wanted);
  return wanted;
}

void in_transaction(outbox::Context& context) {
  const auto& job = context.job();
  const auto wanted = start(job);
  context.tx().exec("INSERT INTO chaos.effects (job_id, producer, seq, attempt) VALUES (" +
                    std::to_string(job.id) + ", " + std::to_string(wanted.producer) + ", " +
                    std::to_string(wanted.seq) + ", " + std::to_string(job.attempt) + ")");
  std::this_thread::sleep_for(wanted.sleep);
  fail_if_told(job, wanted);
}

void outside(outbox::ExternalContext& context) {
  const auto& job = context.job();
  static const int file = open_file("CHAOS_OUTSIDE");
  const auto wanted = start(job);
  std::this_thread::sleep_for(wanted.sleep);
  fail_if_told(job, wanted);
  note(file, job, wanted);
}

/// Takes all the memory that it may have, which is not much.
void hog() {
  constexpr std::size_t kMegabyte = 1U << 20U;
  const rlimit limit{512 * kMegabyte, 512 * kMegabyte};
  ::setrlimit(RLIMIT_DATA, &limit);
  std::vector<char*> taken;
  for (;;) {
    auto* more = static_cast<char*>(std::malloc(kMegabyte));
    if (more == nullptr) std::raise(SIGKILL);  // as the kernel would
    more[0] = 1;
    taken.push_back(more);
  }
}

}  // namespace

int main(int argc, char** argv) {
  outbox::Registry registry;
  registry.add("cpp", in_transaction);
  registry.add_external("outside", outside);
  registry.add("segv", [](outbox::Context&) { std::raise(SIGSEGV); });
  registry.add("abort", [](outbox::Context&) { std::abort(); });
  registry.add("hog", [](outbox::Context&) { hog(); });
  registry.add("loop", [](outbox::Context&) {
    for (;;) std::this_thread::sleep_for(std::chrono::seconds{1});
  });
  return outbox::run_program(argc, argv, std::move(registry));
}
