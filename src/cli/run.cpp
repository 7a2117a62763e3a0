// From a configuration file to a running processor, and from a signal to its end.
#include "cli/run.hpp"

#include <csignal>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <thread>
#include <unistd.h>

#include "cli/admin_server.hpp"
#include "cli/target.hpp"
#include "core/error.hpp"
#include "engine/processor.hpp"
#include "handlers/descriptors.hpp"
#include "handlers/table.hpp"
#include "observe/events.hpp"
#include "observe/log.hpp"
#include "store/handler_check.hpp"
#include "store/message_id.hpp"
#include "store/privileges.hpp"

namespace outbox::cli {

namespace {

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

int wait_for_signal() {
  const auto signals = stop_signals();
  int signal = 0;
  sigwait(&signals, &signal);
  return signal;
}

engine::HandlerTable make_handlers(const core::Options& options, const Registry& registry,
                                   observe::Events& events) {
  store::Database database{options.database, "start", store::Use::people};
  store::admit(database, options.database);
  const auto checked = store::check_handlers(database, options.kinds);
  if (!checked.errors.empty()) {
    std::string all = "some sql handlers cannot run in this database:";
    for (const auto& error : checked.errors) all += "\n  " + error;
    throw core::Error{core::ExitCode::configuration, all,
                      "deploy the function or mend the statement, then start again"};
  }
  handlers::provide_descriptors(options, events);
  return handlers::make_table(options, checked.bodies, registry,
                              {store::message_prefix(database), events});
}

/// Why the processor gave itself up, from whichever thread; it wakes the main thread as a user
/// would.
class Resignation {
 public:
  void give(const core::Error& why) {
    {
      const std::lock_guard lock{mutex_};
      why_ = why;
    }
    ::kill(::getpid(), SIGTERM);
  }
  [[nodiscard]] std::optional<core::Error> taken() {
    const std::lock_guard lock{mutex_};
    return why_;
  }

 private:
  std::mutex mutex_;
  std::optional<core::Error> why_;
};

std::string said(const core::Error& error) {
  return error.what() + (error.hint().empty() ? "" : "; " + error.hint());
}

/// The second signal ends the process at once: the server undoes what is open, other processors
/// take over what was claimed.
void exit_at_second_signal() {
  std::thread{[] {
    wait_for_signal();
    std::cerr << "outboxd: stopped at once by a second signal; claimed jobs will be rescued\n";
    ::_exit(core::to_int(core::ExitCode::failed));
  }}.detach();
}

}  // namespace

int run(const std::string& config_file, const Registry& registry) {
  const auto signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const auto options = load_config(config_file);
  observe::init_log(options.log);
  observe::Events events;
  const auto handlers = make_handlers(options, registry, events);
  Resignation resignation;
  engine::Processor processor{options, handlers, events,
                              [&](const core::Error& why) { resignation.give(why); }};
  processor.start();
  std::unique_ptr<AdminServer> admin;
  if (options.admin.port) {
    admin = std::make_unique<AdminServer>(
        options.admin.host, *options.admin.port, [&] { return processor.health(); }, events);
  }
  const int signal = wait_for_signal();
  exit_at_second_signal();
  const auto gave_up = resignation.taken();
  const bool joined = processor.stop(gave_up             ? said(*gave_up)
                                     : signal == SIGTERM ? "SIGTERM"
                                                         : "SIGINT");
  const int code = core::to_int(gave_up ? gave_up->code() : core::ExitCode::ok);
  // Handlers that ignore their stop token still run on threads that use what this frame owns.
  if (!joined) ::_exit(code);
  return code;
}

}  // namespace outbox::cli
