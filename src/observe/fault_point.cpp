// What OUTBOX_FAULT asks for. Nothing here is in a release build.
#include "observe/fault_point.hpp"

#if defined(OUTBOX_FAULT_POINTS)

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "core/fault.hpp"

namespace outbox::observe {

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == ':') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

struct Order {
  std::string name;
  std::string action;
  int every{};
  int most{};
  std::chrono::milliseconds stall{1'000};
  std::string log;

  static Order from_environment() {
    Order order;
    const auto text = environment("OUTBOX_FAULT");
    if (text.empty()) return order;
    const auto parts = split(text);
    if (parts.size() != 4)
      throw std::invalid_argument{"OUTBOX_FAULT is '" + text +
                                  "', expected NAME:ACTION:EVERY:MOST"};
    order.name = parts[0];
    order.action = parts[1];
    order.every = std::stoi(parts[2]);
    order.most = std::stoi(parts[3]);
    if (const auto stall = environment("OUTBOX_FAULT_STALL_MS"); !stall.empty())
      order.stall = std::chrono::milliseconds{std::stoi(stall)};
    order.log = environment("OUTBOX_FAULT_LOG");
    return order;
  }
};

/// One write: it is in the file even if the process is killed at once.
void note(const Order& order) {
  const int file = ::open(order.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return;
  const auto line = order.name + " " + order.action + "\n";
  (void)!::write(file, line.data(), line.size());
  ::close(file);
}

}  // namespace

void fault_point(const char* name, int socket) {
  static const Order order = Order::from_environment();
  static std::atomic<int> reached{0};
  static std::atomic<int> hits{0};
  if (order.name != name) return;
  if (order.action == "cut" && socket < 0) return;
  if (++reached % order.every != 0 || ++hits > order.most) return;
  note(order);
  if (order.action == "kill") {
    std::raise(SIGKILL);
  } else if (order.action == "throw") {
    throw core::DbError{core::Fault::bug, {}, std::string{"injected at "} + name};
  } else if (order.action == "stall") {
    std::this_thread::sleep_for(order.stall);
  } else if (order.action == "cut") {
    ::shutdown(socket, SHUT_RDWR);
  }
}

}  // namespace outbox::observe

#endif
