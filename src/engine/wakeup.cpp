// Wake-ups between threads of one processor.
#include "engine/wakeup.hpp"

#include <algorithm>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace outbox::engine {

Wakeup::Wakeup() : fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
  if (fd_ < 0) throw std::system_error{errno, std::generic_category(), "eventfd"};
}

Wakeup::~Wakeup() { ::close(fd_); }

void Wakeup::notify() const {
  const std::uint64_t one{1};
  [[maybe_unused]] const auto written =
      ::write(fd_, &one, sizeof one);  // full means: already readable
}

void Wakeup::clear() const {
  std::uint64_t drained{};
  [[maybe_unused]] const auto count = ::read(fd_, &drained, sizeof drained);
}

bool Wakeup::wait(std::chrono::milliseconds most, int socket) const {
  pollfd waits[2] = {{fd_, POLLIN, 0}, {socket, POLLIN, 0}};  // poll() passes over a negative one
  // A negative time, from a caller who was descheduled while computing it, would mean for ever.
  const auto ms = std::max(most, std::chrono::milliseconds{0}).count();
  const bool rung = ::poll(waits, 2, static_cast<int>(ms)) > 0;
  if (rung) clear();
  return rung;
}

}  // namespace outbox::engine
