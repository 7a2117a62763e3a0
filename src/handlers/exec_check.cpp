// What is checked here can change later: the checks are there for mistakes, and the limits of who
// could make them on purpose.
#include "handlers/exec_check.hpp"

#include <array>
#include <cerrno>
#include <filesystem>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace outbox::handlers {

namespace {

/// More groups than a user has; the kernel's own limit.
constexpr int kGroupsMost = 65'536;

std::string octal(mode_t mode) {
  std::array<char, 16> text{};
  (void)std::snprintf(text.data(), text.size(), "%04o", mode & 07777U);
  return text.data();
}

/// Empty: only root and we can change what is there.
std::string writable_by_others(const std::string& path, const struct stat& found) {
  if (found.st_uid != 0 && found.st_uid != ::geteuid()) {
    return path + " belongs to user " + std::to_string(found.st_uid) +
           ", who could put another program there; expected root or the user of outboxd";
  }
  // In a sticky folder, as /tmp is, nobody can replace what belongs to somebody else.
  const bool sticky = S_ISDIR(found.st_mode) && (found.st_mode & S_ISVTX) != 0;
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) == 0 || sticky) return {};
  return path + " may be changed by others (mode " + octal(found.st_mode) +
         "); expected that only its owner may write there: chmod go-w " + path;
}

void check_program(const std::string& program, std::vector<std::string>& problems) {
  namespace fs = std::filesystem;
  if (program.empty() || program.front() != '/') {
    problems.push_back("argv: \"" + program + "\" is no absolute path");
    return;
  }
  std::error_code error;
  const auto path = fs::canonical(program, error);
  struct stat found {};
  if (error || ::stat(path.c_str(), &found) != 0) {
    problems.push_back(program + " cannot be found: " +
                       (error ? error.message() : std::system_category().message(errno)));
    return;
  }
  if (!S_ISREG(found.st_mode)) {
    problems.push_back(program + " is no regular file; expected a program");
    return;
  }
  if ((found.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
    problems.push_back(program + " is not executable; do: chmod +x " + program);
  if (auto why = writable_by_others(path.string(), found); !why.empty())
    problems.push_back(std::move(why));
  for (auto folder = path.parent_path();; folder = folder.parent_path()) {
    if (::stat(folder.c_str(), &found) == 0) {
      if (auto why = writable_by_others(folder.string(), found); !why.empty())
        problems.push_back(std::move(why));
    }
    if (folder == folder.root_path()) break;
  }
}

}  // namespace

std::optional<RunAs> find_user(const std::string& name) {
  std::vector<char> buffer(65'536);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr)
    return std::nullopt;
  RunAs user{found->pw_uid, found->pw_gid, std::vector<gid_t>(64)};
  int count = static_cast<int>(user.groups.size());
  while (::getgrouplist(name.c_str(), user.gid, user.groups.data(), &count) < 0 &&
         count <= kGroupsMost) {
    user.groups.resize(static_cast<std::size_t>(count));
  }
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

std::vector<std::string> check_exec(const core::ExecHandler& settings) {
  std::vector<std::string> problems;
  check_program(settings.argv.empty() ? "" : settings.argv.front(), problems);
  struct stat cwd {};
  if (::stat(settings.cwd.c_str(), &cwd) != 0) {
    problems.push_back("cwd: " + settings.cwd +
                       " cannot be found: " + std::system_category().message(errno));
  } else if (!S_ISDIR(cwd.st_mode)) {
    problems.push_back("cwd: " + settings.cwd + " is no folder");
  }
  if (settings.user.empty()) return problems;
  if (!find_user(settings.user))
    problems.push_back("user: this machine has no user \"" + settings.user + "\"");
  if (::geteuid() != 0) {
    problems.push_back("user: only root can run programs as another user; run outboxd as \"" +
                       settings.user + "\", or as root");
  }
  return problems;
}

}  // namespace outbox::handlers
