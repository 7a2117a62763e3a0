// One client of the proxy with its session on the server, and who is cut when. One thread.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <functional>
#include <map>
#include <optional>
#include <poll.h>
#include <random>
#include <set>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "chaos/proxy_wire.hpp"

namespace outbox::chaos {

/// Beyond this nothing more is read for a side that does not take it.
inline constexpr std::size_t kPendingMost = 256U << 10U;
/// Empty buffers that grew larger give their memory back.
inline constexpr std::size_t kKeptMost = 1U << 20U;

inline bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_{fd} {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Descriptor& operator=(Descriptor&&) = delete;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// The peer sees a reset; what it has not been sent yet is lost.
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

 private:
  int fd_;
};

/// Bytes on their way to a socket.
class Outgoing {
 public:
  [[nodiscard]] std::size_t size() const { return bytes_.size() - sent_; }

  void append(std::string_view bytes) {
    if (sent_ > kPendingMost) bytes_.erase(0, std::exchange(sent_, 0));
    bytes_.append(bytes);
  }
  void clear() {
    sent_ = 0;
    bytes_.clear();
    if (bytes_.capacity() > kKeptMost) bytes_.shrink_to_fit();
  }
  /// As much as goes without waiting; false when the peer is gone.
  [[nodiscard]] bool send_to(const Descriptor& socket) {
    while (size() > 0) {
      const auto count = ::send(socket.get(), bytes_.data() + sent_, size(), MSG_NOSIGNAL);
      if (count < 0) return would_block();
      sent_ += static_cast<std::size_t>(count);
    }
    clear();
    return true;
  }

 private:
  std::string bytes_;
  std::size_t sent_{0};
};

struct CutOptions {
  std::uint64_t every{};
  std::uint64_t seed{};
  std::optional<std::uint64_t> most;
  std::set<std::string, std::less<>> statements;
  std::string log;
};

enum class Side { none, before, after };

/// Decides which commits are cut, and writes down those that were.
class Cuts {
 public:
  explicit Cuts(CutOptions options)
      : options_{std::move(options)},
        log_{::open(options_.log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)} {
    if (log_.get() < 0) throw std::system_error{errno, std::generic_category(), options_.log};
  }

  [[nodiscard]] bool commits(std::string_view statement) const {
    return options_.statements.contains(statement);
  }

  /// Each name draws its own lots: however the connections mix, the seed decides which of its
  /// commits are cut on which side.
  Side decide(const std::string& name) {
    if (options_.most && count_ >= *options_.most) return Side::none;
    auto found = lots_.find(name);
    if (found == lots_.end()) found = lots_.emplace(name, first_lot(name)).first;
    auto& lot = found->second;
    if (lot.random() % options_.every != 0) return Side::none;
    ++count_;
    return std::exchange(lot.next, lot.next == Side::before ? Side::after : Side::before);
  }

  void log(const std::string& line) {
    const auto text = line + '\n';
    if (::write(log_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      throw std::system_error{errno, std::generic_category(), options_.log};
  }

 private:
  struct Lot {
    std::mt19937_64 random;
    Side next{};
  };

  [[nodiscard]] Lot first_lot(const std::string& name) const {
    std::vector<std::uint64_t> seeds{options_.seed & 0xffff'ffffU, options_.seed >> 32U};
    for (const char c : name) seeds.push_back(static_cast<unsigned char>(c));
    std::seed_seq sequence(seeds.begin(), seeds.end());
    Lot lot{.random = std::mt19937_64{sequence}};
    lot.next = lot.random() % 2 == 0 ? Side::before : Side::after;
    return lot;
  }

  CutOptions options_;
  Descriptor log_;
  std::map<std::string, Lot> lots_;
  std::uint64_t count_{0};
};

/// Forwards in both directions, and cuts. Never waits: poll() tells when to act.
class Connection {
 public:
  /// `server` is connecting.
  Connection(Descriptor client, Descriptor server, Cuts& cuts)
      : client_{std::move(client)}, server_{std::move(server)}, cuts_{cuts} {}

  [[nodiscard]] bool over() const { return over_; }

  /// What to wait for. A side of which nothing is wanted is left out: poll() reports a hang-up
  /// unasked, again and again.
  [[nodiscard]] pollfd client_wish() const {
    if (cutting_) return {.fd = -1, .events = 0, .revents = 0};
    const bool room = in_.size() <= kMessageMost && to_server_.size() < kPendingMost;
    return wish(client_, !client_done_ && room, to_client_.size() > 0);
  }
  [[nodiscard]] pollfd server_wish() const {
    if (connecting_) return wish(server_, false, true);
    return wish(server_, !server_done_ && to_client_.size() < kPendingMost,
                !server_done_ && to_server_.size() > 0);
  }

  /// Takes what poll() reported for the two wishes.
  void act(short client, short server) {
    try {
      if (connecting_) {
        if (server != 0) finish_connecting();
      } else if ((server & kReadable) != 0) {
        read_server();
      }
      if (!over_ && (client & kReadable) != 0) read_client();
      if (!over_) send_pending();
    } catch (const BadMessage& e) {
      std::fprintf(stderr, "chaos_proxy: closes a connection: %s\n", e.what());
      end();
    }
  }

  void end() {
    if (cutting_) return end_cut("lost");
    over_ = true;
    client_.close();
    server_.close();
  }

 private:
  enum class Phase { startup, messages, cancel };

  static constexpr short kReadable = POLLIN | POLLERR | POLLHUP;
  using Piece = std::array<char, 64U << 10U>;

  static pollfd wish(const Descriptor& socket, bool read, bool write) {
    const auto events = static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0));
    return {.fd = events == 0 ? -1 : socket.get(), .events = events, .revents = 0};
  }

  void finish_connecting() {
    int problem{0};
    socklen_t size{sizeof problem};
    ::getsockopt(server_.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
    connecting_ = false;
    if (problem != 0) end();
  }

  void read_client() {
    Piece piece;
    const auto count = ::recv(client_.get(), piece.data(), piece.size(), 0);
    if (count < 0 && would_block()) return;
    if (count <= 0) {
      client_done_ = true;
      in_.clear();  // a group without its end, or one that waits for replies
      parsed_ = 0;
      return;
    }
    in_.append(piece.data(), static_cast<std::size_t>(count));
    digest();
  }

  void read_server() {
    Piece piece;
    const auto count = ::recv(server_.get(), piece.data(), piece.size(), 0);
    if (count < 0 && would_block()) return;
    if (count <= 0) {
      server_done_ = true;
      if (cutting_) end_cut("lost");
      return;
    }
    const std::string_view bytes{piece.data(), static_cast<std::size_t>(count)};
    const bool dropped = cutting_.has_value();
    if (phase_ == Phase::messages)
      replies_.feed(bytes, [this](char type, std::string_view body) { on_reply(type, body); });
    if (dropped) return;
    to_client_.append(bytes);
    digest();  // a group may have waited for this reply
  }

  void on_reply(char type, std::string_view body) {
    switch (type) {
      case 'E':
        failed_ = true;
        break;
      case 'C':  // a COMMIT after an error says so, and reports none
        rolled_back_ = body == "ROLLBACK";
        break;
      case 'G':  // the server overlooks a Sync that was sent before the data
        if (last_end_ == 'S' && owed_ > 0) --owed_;
        if (cutting_) end_cut("lost");  // the data will not come
        break;
      case 'Z':
        if (owed_ > 0) --owed_;
        idle_ = body == "I";
        if (cutting_) end_cut(failed_ || rolled_back_ ? "error" : "ok");
        break;
      default:
        break;
    }
  }

  void digest() {
    if (phase_ == Phase::startup) take_startup();
    if (phase_ == Phase::cancel) {
      parsed_ = in_.size();
      forward();
    }
    while (phase_ == Phase::messages && !cutting_ && !over_ && take_message()) continue;
  }

  void take_startup() {
    while (phase_ == Phase::startup && in_.size() >= kStartupLeast) {
      const std::size_t size = number_at(in_, 0);
      const auto code = number_at(in_, 4);
      if (size < kStartupLeast || size > kStartupMost) throw BadMessage{"no startup packet"};
      if (in_.size() < size) return;
      if (code == kSslCode || code == kGssCode) {
        to_client_.append("N");
        in_.erase(0, size);
        continue;
      }
      phase_ = code == kCancelCode ? Phase::cancel : Phase::messages;
      owed_ = 1;
      parsed_ = size;
      forward();
    }
  }

  /// Goes on by one message of the client's; false when there is no whole one, or it must wait.
  bool take_message() {
    const auto rest = std::string_view{in_}.substr(parsed_);
    const auto size = message_size(rest);
    if (size > kMessageMost) throw BadMessage{"a message of more than 64 MB"};
    if (parsed_ + size > kMessageMost) {
      forward();
      return true;
    }
    if (size == 0 || size > rest.size()) return false;
    const char type = rest.front();
    note_name(type, rest.substr(kHeaderSize, size - kHeaderSize));
    // Whether it commits depends on the replies before it, and only its own may be dropped.
    if (ends_group(type) && !name_.empty() && owed_ > 0) return false;
    parsed_ += size;
    if (ends_group(type)) {
      end_group(type);
    } else if (!waits_for_sync(type)) {
      forward();
    }
    return true;
  }

  void note_name(char type, std::string_view body) {
    if (type == 'Q' && has_commit(body)) name_ = "commit";
    if (type != 'B' || !name_.empty()) return;
    const auto statement = bound_statement(body);
    if (cuts_.commits(statement)) name_ = statement;
  }

  void end_group(char type) {
    const auto name = std::exchange(name_, {});
    // Within a transaction a statement commits nothing.
    const bool commits = !name.empty() && (type == 'Q' || idle_);
    const auto side = commits ? cuts_.decide(name) : Side::none;
    if (side == Side::before) return cut_before(name);
    if (side == Side::after) cutting_ = name;
    failed_ = rolled_back_ = false;
    last_end_ = type;
    ++owed_;
    forward();
  }

  // The log comes first: whoever has seen the reset finds the line.
  void cut_before(const std::string& name) {
    cuts_.log("before " + name);
    over_ = true;
    server_.reset();
    client_.reset();
  }
  void end_cut(const std::string& tag) {
    cuts_.log("after " + *std::exchange(cutting_, std::nullopt) + ' ' + tag);
    over_ = true;
    client_.reset();
    server_.close();
  }

  /// What has been parsed goes to the server.
  void forward() {
    to_server_.append(std::string_view{in_}.substr(0, parsed_));
    in_.erase(0, std::exchange(parsed_, 0));
    if (in_.empty() && in_.capacity() > kKeptMost) in_.shrink_to_fit();
  }

  void send_pending() {
    if (!connecting_) {
      if (!to_server_.send_to(server_)) to_server_.clear();  // reading from it tells the rest
      if (client_done_ && !cutting_ && to_server_.size() == 0) ::shutdown(server_.get(), SHUT_WR);
    }
    if (cutting_) return;  // whether the client still lives does not matter any more
    const bool gone = !to_client_.send_to(client_);
    if (gone || (server_done_ && to_client_.size() == 0)) end();
  }

  Descriptor client_;
  Descriptor server_;
  Cuts& cuts_;
  bool over_{false};
  bool connecting_{true};
  bool client_done_{false};  // nothing more will come from it
  bool server_done_{false};

  Phase phase_{Phase::startup};
  std::string in_;         // what the client sent and is not forwarded
  std::size_t parsed_{0};  // its beginning: whole messages of a group
  std::string name_;       // of that group, if it may commit
  std::size_t owed_{0};    // how many ReadyForQuery the server owes
  char last_end_{0};       // type of the message that ended the last group
  bool idle_{true};        // outside a transaction, as of the last reply
  bool failed_{false};     // since the last group began
  bool rolled_back_{false};
  std::optional<std::string> cutting_;  // name of the group after which to cut
  Replies replies_;
  Outgoing to_server_;
  Outgoing to_client_;
};

}  // namespace outbox::chaos
