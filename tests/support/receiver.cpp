// A few lines of HTTP/1.1: enough for tests, and able to answer what no server would.
#include "support/receiver.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace outbox::test {

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// One request; false: the connection ended first.
bool read_request(int fd, std::string& rest, Received& out) {
  std::size_t head = 0;
  std::size_t length = 0;
  while (true) {
    head = rest.find("\r\n\r\n");
    if (head != std::string::npos) {
      const auto at = lower(rest.substr(0, head)).find("content-length:");
      length = at == std::string::npos ? 0 : std::stoul(rest.substr(at + 15));
      if (rest.size() >= head + 4 + length) break;
    }
    char buffer[65536];
    const auto got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    rest.append(buffer, static_cast<std::size_t>(got));
  }
  std::size_t line = rest.find("\r\n");
  const auto first = rest.substr(0, line);
  out.method = first.substr(0, first.find(' '));
  out.target = first.substr(out.method.size() + 1, first.rfind(' ') - out.method.size() - 1);
  while (line < head) {
    const auto end = rest.find("\r\n", line + 2);
    const auto text = rest.substr(line + 2, end - line - 2);
    const auto colon = text.find(':');
    out.headers.emplace(lower(text.substr(0, colon)),
                        text.substr(std::min(text.size(), colon + 2)));
    line = end;
  }
  out.body = rest.substr(head + 4, length);
  rest.erase(0, head + 4 + length);
  return true;
}

}  // namespace

std::string Received::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

Receiver::Receiver(Answer answer) : answer_{std::move(answer)} {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 4096) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error{"the receiver cannot listen"};
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread{[this] { accept_all(); }};
}

Receiver::~Receiver() {
  {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  for (auto& server : servers_) server.join();
}

void Receiver::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock{mutex_};
    if (fd < 0 || stopped_) {
      if (fd >= 0) ::close(fd);
      return;
    }
    ++connections_;
    open_.push_back(fd);
    servers_.emplace_back([this, fd] { serve(fd); });
  }
}

void Receiver::serve(int fd) {
  std::string rest;
  for (Received request; read_request(fd, rest, request); request = {}) {
    {
      const std::lock_guard lock{mutex_};
      received_.push_back(request);
      most_ = std::max(most_, ++now_);
    }
    const auto answer = answer_(request);
    {
      const std::lock_guard lock{mutex_};
      --now_;
    }
    if (answer.empty()) break;
    if (answer == "RESET") {
      const linger hard{1, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      break;
    }
    std::size_t sent = 0;
    while (sent < answer.size()) {
      const auto wrote = ::send(fd, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
      if (wrote <= 0) break;
      sent += static_cast<std::size_t>(wrote);
    }
    if (answer.find("Connection: close") != std::string::npos) break;
  }
  const std::lock_guard lock{mutex_};
  open_.erase(std::find(open_.begin(), open_.end(), fd));
  ::close(fd);
}

std::string Receiver::url(const std::string& target) const {
  return "http://127.0.0.1:" + std::to_string(port_) + target;
}

std::vector<Received> Receiver::received() const {
  const std::lock_guard lock{mutex_};
  return received_;
}

std::size_t Receiver::count() const {
  const std::lock_guard lock{mutex_};
  return received_.size();
}

int Receiver::connections() const {
  const std::lock_guard lock{mutex_};
  return connections_;
}

int Receiver::most_at_once() const {
  const std::lock_guard lock{mutex_};
  return most_;
}

std::string http(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) +
         " Status\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" +
         body;
}

engine::TaskPtr Counter::start(engine::AsyncHandler& handler, const std::string& payload,
                               const std::string& headers) {
  auto task = std::make_shared<engine::Task>();
  task->received = core::Clock::now();
  auto& claimed = task->claimed;
  claimed.job.queue = "default";
  claimed.job.kind = "hook";
  claimed.job.payload = payload;
  claimed.job.headers = headers;
  claimed.job.attempt = 1;
  claimed.job.max_attempts = 20;
  claimed.claimed_at_us = std::chrono::duration_cast<std::chrono::microseconds>(
                              std::chrono::system_clock::now().time_since_epoch())
                              .count();
  {
    const std::lock_guard lock{mutex_};
    claimed.job.id = next_++;
  }
  handler.start(task, [this](const engine::TaskPtr&) {
    const std::lock_guard lock{mutex_};
    ++ended_;
    changed_.notify_all();
  });
  return task;
}

bool Counter::wait(std::size_t count) {
  std::unique_lock lock{mutex_};
  return changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return ended_ >= count; });
}

std::size_t Counter::ended() const {
  const std::lock_guard lock{mutex_};
  return ended_;
}

std::string told(const engine::Task& task) {
  if (!task.answer) return "nothing";
  const auto& ran = *task.answer;
  if (std::holds_alternative<store::RanDone>(ran)) return "done";
  if (std::holds_alternative<store::RanExpired>(ran)) return "expired";
  if (std::holds_alternative<store::RanStale>(ran)) return "stale";
  const auto& outcome = std::get<store::RanUndone>(ran).outcome;
  if (std::holds_alternative<Snooze>(outcome)) return "snooze";
  if (const auto* discard = std::get_if<Discard>(&outcome)) return "discard: " + discard->why;
  return "retry: " + std::get<Retry>(outcome).why;
}

}  // namespace outbox::test
