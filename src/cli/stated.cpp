// Who the operating system says that we are.
#include "cli/stated.hpp"

#include <array>
#include <pwd.h>
#include <string>
#include <unistd.h>

namespace outbox::cli {

namespace {

std::string login_name() {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4'096> room{};
  if (::getpwuid_r(::getuid(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
    return "uid " + std::to_string(::getuid());
  return found->pw_name;
}

}  // namespace

void add_stated(CLI::App& command, store::Stated& stated) {
  stated.actor = login_name();
  command.add_option("--why", stated.why, "Why: kept in outbox.audit, and with a dead letter");
  command.add_option("--actor", stated.actor, "Who asks for it, for outbox.audit")
      ->envname("OUTBOX_ACTOR")
      ->capture_default_str();
}

}  // namespace outbox::cli
