// Reads a secret from a file; see the header.
#include "config/secret.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "config/text.hpp"

namespace outbox::config {
namespace {

constexpr std::size_t kMostSecretBytes = 64U * 1024U;

class OpenFile {
 public:
  // Non-blocking: opening a pipe must not wait for a writer.
  explicit OpenFile(const std::string& path)
      : fd_{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)} {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

Secret unusable(std::string problem, std::string hint) {
  return {std::nullopt, std::move(problem), std::move(hint)};
}

Secret refuse_errno(const std::string& path) {
  return unusable(
      "cannot read the file " + show(path) + ": " + std::generic_category().message(errno),
      "check the path, and that the user of this process may read it");
}

void strip_line_break(std::string& text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
}

}  // namespace

Secret read_secret_file(const std::string& path) {
  const OpenFile file{path};
  struct stat status {};
  if (file.fd() < 0 || ::fstat(file.fd(), &status) != 0) return refuse_errno(path);
  if (!S_ISREG(status.st_mode)) {
    return unusable(show(path) + " is not a regular file",
                    "name a file that holds only the secret");
  }
  if ((status.st_mode & S_IROTH) != 0) {
    return unusable("the file " + show(path) + " can be read by everybody", "chmod 600 " + path);
  }
  std::string text(kMostSecretBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.fd(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse_errno(path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMostSecretBytes) {
    return unusable("the file " + show(path) + " is larger than 64 KiB", "is it the right file?");
  }
  text.resize(size);
  strip_line_break(text);
  if (text.empty())
    return unusable("the file " + show(path) + " is empty", "write the secret into it");
  if (text.find('\0') != std::string::npos) {
    return unusable("the file " + show(path) + " holds a NUL byte",
                    "it must hold only the secret as text");
  }
  return {std::move(text), {}, {}};
}

Complaint file_problem(const std::string& path, bool secret) {
  if (secret) {
    Secret read = read_secret_file(path);
    return {std::move(read.problem), std::move(read.hint)};
  }
  const OpenFile file{path};
  struct stat status {};
  if (file.fd() < 0 || ::fstat(file.fd(), &status) != 0) {
    Secret refused = refuse_errno(path);
    return {std::move(refused.problem), std::move(refused.hint)};
  }
  if (S_ISREG(status.st_mode)) return {};
  return {show(path) + " is not a regular file", "name a file in PEM form"};
}

}  // namespace outbox::config
