// One thread, one epoll, answers in the order of the requests.
#include "bench/receiver.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <deque>
#include <netinet/in.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "core/pacing.hpp"
#include "handlers/descriptors.hpp"

namespace outbox::bench {

namespace {

using core::Clock;

constexpr std::string_view kAnswer{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};

[[noreturn]] void no_listener() {
  throw core::Error{core::ExitCode::failed,
                    "there is no port to listen on: " + std::generic_category().message(errno)};
}

/// A listening socket on a free port of this machine.
int listen_anywhere(int& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) no_listener();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, any, size) != 0 || ::listen(fd, SOMAXCONN) != 0 ||
      ::getsockname(fd, any, &size) != 0)
    no_listener();
  port = ntohs(address.sin_port);
  return fd;
}

/// Bytes of the first request, 0: it is not complete.
std::size_t request_size(std::string_view in) {
  const auto end = in.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  constexpr std::string_view kLength{"Content-Length: "};
  std::size_t body = 0;
  if (const auto at = in.substr(0, end).find(kLength); at != std::string_view::npos)
    std::from_chars(in.data() + at + kLength.size(), in.data() + end, body);
  const auto size = end + 4 + body;
  return in.size() >= size ? size : 0;
}

class Server {
 public:
  Server(int listener, std::chrono::milliseconds delay, Receiver::Counters& counters)
      : listener_{listener},
        delay_{delay},
        counters_{counters},
        epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
    watch(listener);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), events.size(), wait_ms());
      for (int i = 0; i < count; ++i) {
        const int fd = events.at(static_cast<std::size_t>(i)).data.fd;
        fd == listener_ ? accept_all() : read(fd);
      }
      answer_due();
    }
  }

 private:
  struct Connection {
    std::uint64_t number{0};  ///< Tells it from others that had its descriptor; 0: closed.
    std::string in;           ///< A request that is not complete.
  };
  struct Due {
    Clock::time_point at;
    int fd{};
    std::uint64_t number{};
  };

  void watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const auto at = static_cast<std::size_t>(fd);
      if (connections_.size() <= at) connections_.resize(at + 1);
      connections_[at] = {static_cast<std::uint64_t>(++counters_.connections), {}};
      watch(fd);
    }
  }

  void close(int fd) {
    connections_[static_cast<std::size_t>(fd)] = {};
    ::close(fd);
  }

  void read(int fd) {
    auto& connection = connections_[static_cast<std::size_t>(fd)];
    const auto bytes = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (bytes < 0 && errno == EAGAIN) return;
    if (bytes <= 0) return close(fd);
    const std::string_view got{buffer_.data(), static_cast<std::size_t>(bytes)};
    if (connection.in.empty()) {
      const auto size = request_size(got);
      if (size == got.size()) return take(fd);
    }
    connection.in.append(got);
    if (request_size(connection.in) == 0) return;
    connection.in.clear();
    take(fd);
  }

  void take(int fd) {
    const auto waiting = ++counters_.waiting;
    counters_.most = std::max(counters_.most.load(), waiting);
    if (delay_ == std::chrono::milliseconds{0}) return answer(fd);
    due_.push_back({Clock::now() + delay_, fd, connections_[static_cast<std::size_t>(fd)].number});
  }

  void answer(int fd) {
    --counters_.waiting;
    ++counters_.answered;
    if (::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(kAnswer.size()))
      close(fd);
  }

  void answer_due() {
    if (due_.empty()) return;
    const auto now = Clock::now();
    while (!due_.empty() && due_.front().at <= now) {
      const auto due = due_.front();
      due_.pop_front();
      if (connections_[static_cast<std::size_t>(due.fd)].number == due.number) {
        answer(due.fd);
      } else {
        --counters_.waiting;
      }
    }
  }

  [[nodiscard]] int wait_ms() const {
    if (due_.empty()) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(due_.front().at - Clock::now()).count();
    return static_cast<int>(std::max<std::int64_t>(0, left));
  }

  int listener_;
  std::chrono::milliseconds delay_;
  Receiver::Counters& counters_;
  int epoll_;
  std::vector<Connection> connections_;  // by descriptor
  std::deque<Due> due_;
  std::array<char, 65'536> buffer_{};
};

}  // namespace

Receiver::Receiver(std::chrono::milliseconds delay) {
  int port = 0;
  const int listener = listen_anywhere(port);
  url_ = "http://127.0.0.1:" + std::to_string(port) + "/hook";
  process_ = std::make_unique<Apart>(listener, [this, delay] {
    handlers::raise_descriptor_limit();
    Server{3, delay, *counters_}.run();
  });
  ::close(listener);
}

Receiver::~Receiver() = default;

}  // namespace outbox::bench
