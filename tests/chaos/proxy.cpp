// Stands between PostgreSQL and its clients, and cuts connections exactly before a commit reaches
// the server, or after the server has done it and before the client hears of it.
//
//   chaos_proxy --listen PORT --server HOST:PORT --every N --seed S [--most M] [--statements a,b,c]
//               --log FILE
//
// Port 0 is any free one; "port N" on stdout tells it, and that clients may come. Of the commits of
// each name one in N is cut, before and after in turns: a simple query with the word COMMIT has the
// name "commit", a prepared statement of --statements that runs outside a transaction its own.
// After M cuts it only forwards. Each cut is a line in FILE, which is appended to:
//
//   before NAME       the server never saw it
//   after NAME ok     the server has committed
//   after NAME error  the server has reported an error, or rolled back
//   after NAME lost   the server, or this program, went before the answer: nobody knows
//
// Ends by SIGTERM, with exit code 0. One thread, one poll loop.
#include <charconv>
#include <csignal>
#include <cstring>
#include <exception>
#include <iostream>
#include <limits>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sstream>
#include <sys/resource.h>
#include <vector>

#include "chaos/proxy_connection.hpp"

namespace outbox::chaos {

namespace {

constexpr const char* kUsage =
    "usage: chaos_proxy --listen PORT --server HOST:PORT --every N --seed S [--most M] "
    "[--statements a,b,c] --log FILE";

constexpr const char* kStatements =
    "run_job,direct,claim,claim_suspect,finish_batch,retry,snooze,bury,release,rescue";

/// A signal may come just before poll() waits: then it is seen after this.
constexpr int kPollMs = 100;

volatile std::sig_atomic_t stop_asked = 0;

void ask_stop(int /*signal*/) { stop_asked = 1; }

struct BadUsage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Options {
  std::uint16_t listen{};
  sockaddr_in server{};
  CutOptions cuts;
};

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

std::uint64_t to_number(const std::string& option, std::string_view text, std::uint64_t least,
                        std::uint64_t most) {
  std::uint64_t out{0};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (problem != std::errc{} || end != text.data() + text.size() || out < least || out > most)
    throw BadUsage{option + ": no number from " + std::to_string(least) + " to " +
                   std::to_string(most) + ": '" + std::string{text} + "'"};
  return out;
}

sockaddr_in to_address(const std::string& option, const std::string& text) {
  const auto colon = std::min(text.rfind(':'), text.size());
  const auto host = text.substr(0, colon);
  const auto port = text.substr(std::min(colon + 1, text.size()));
  to_number(option, port, 1, std::numeric_limits<std::uint16_t>::max());
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int problem = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (problem != 0) throw BadUsage{option + ": '" + host + "': " + ::gai_strerror(problem)};
  sockaddr_in out{};
  std::memcpy(&out, found->ai_addr, sizeof out);
  ::freeaddrinfo(found);
  return out;
}

std::set<std::string, std::less<>> to_names(const std::string& text) {
  std::set<std::string, std::less<>> out;
  std::istringstream in{text};
  for (std::string name; std::getline(in, name, ',');) {
    if (name.empty()) throw BadUsage{"--statements: an empty name in '" + text + "'"};
    out.insert(name);
  }
  return out;
}

/// Values by option; --most and --statements may be missing.
std::map<std::string, std::string> read_arguments(int argc, char** argv) {
  std::map<std::string, std::string> values{{"--listen", ""},
                                            {"--server", ""},
                                            {"--every", ""},
                                            {"--seed", ""},
                                            {"--log", ""},
                                            {"--most", ""},
                                            {"--statements", kStatements}};
  std::set<std::string> given;
  for (int i = 1; i < argc; i += 2) {
    const std::string option{argv[i]};
    if (values.count(option) == 0) throw BadUsage{"unknown option '" + option + "'"};
    if (i + 1 == argc) throw BadUsage{option + ": no value"};
    if (!given.insert(option).second) throw BadUsage{option + ": given twice"};
    values[option] = argv[i + 1];
  }
  for (const char* needed : {"--listen", "--server", "--every", "--seed", "--log"}) {
    if (given.count(needed) == 0) throw BadUsage{std::string{needed} + " is missing"};
  }
  return values;
}

Options read_options(int argc, char** argv) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  const auto values = read_arguments(argc, argv);
  const auto number = [&](const std::string& option, std::uint64_t least, std::uint64_t most) {
    return to_number(option, values.at(option), least, most);
  };
  Options out;
  out.listen =
      static_cast<std::uint16_t>(number("--listen", 0, std::numeric_limits<std::uint16_t>::max()));
  out.server = to_address("--server", values.at("--server"));
  out.cuts.every = number("--every", 1, kMost);
  out.cuts.seed = number("--seed", 0, kMost);
  if (!values.at("--most").empty()) out.cuts.most = number("--most", 0, kMost);
  out.cuts.statements = to_names(values.at("--statements"));
  out.cuts.log = values.at("--log");
  return out;
}

class Proxy {
 public:
  Proxy(const Options& options, Cuts& cuts)
      : server_{options.server},
        cuts_{cuts},
        listener_{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)} {
    const int on{1};
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(options.listen);
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener_.get() < 0) fail("socket");
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
        ::listen(listener_.get(), SOMAXCONN) != 0)
      fail("--listen");
  }

  [[nodiscard]] int port() const {
    sockaddr_in own{};
    socklen_t size{sizeof own};
    if (::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0)
      fail("getsockname");
    return ntohs(own.sin_port);
  }

  void run() {
    while (stop_asked == 0) turn();
    for (auto& connection : connections_) connection->end();
  }

 private:
  void turn() {
    std::vector<pollfd> wishes;
    for (const auto& connection : connections_) {
      wishes.push_back(connection->client_wish());
      wishes.push_back(connection->server_wish());
    }
    // Clients beyond that wait in the listener's queue, instead of failing accept() for ever.
    const bool more = connections_.size() < most_;
    wishes.push_back({.fd = more ? listener_.get() : -1, .events = POLLIN, .revents = 0});
    if (::poll(wishes.data(), wishes.size(), kPollMs) < 0) {
      if (errno == EINTR) return;
      fail("poll");
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      const auto client = wishes[2 * i].revents;
      const auto server = wishes[2 * i + 1].revents;
      if (client != 0 || server != 0) connections_[i]->act(client, server);
    }
    std::erase_if(connections_, [](const auto& connection) { return connection->over(); });
    if (wishes.back().revents != 0) accept_client();
  }

  void accept_client() {
    const int on{1};
    Descriptor client{::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (client.get() < 0) return;
    Descriptor server{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    for (const auto* socket : {&client, &server})
      ::setsockopt(socket->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&server_), sizeof server_) != 0 &&
        errno != EINPROGRESS)
      return;
    connections_.push_back(
        std::make_unique<Connection>(std::move(client), std::move(server), cuts_));
  }

  /// Two descriptors each; some are needed for other things.
  static std::size_t most_connections() {
    constexpr rlim_t kOthers = 32;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
    return static_cast<std::size_t>((std::max(limit.rlim_cur, kOthers + 2) - kOthers) / 2);
  }

  const sockaddr_in server_;
  Cuts& cuts_;
  Descriptor listener_;
  const std::size_t most_{most_connections()};
  std::vector<std::unique_ptr<Connection>> connections_;
};

int run(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, ask_stop);
  std::signal(SIGINT, ask_stop);
  Cuts cuts{options.cuts};
  Proxy proxy{options, cuts};
  std::cout << "port " << proxy.port() << std::endl;
  proxy.run();
  return 0;
}

}  // namespace

}  // namespace outbox::chaos

int main(int argc, char** argv) {
  using namespace outbox::chaos;
  try {
    return run(read_options(argc, argv));
  } catch (const BadUsage& e) {
    std::cerr << "chaos_proxy: " << e.what() << '\n' << kUsage << '\n';
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "chaos_proxy: " << e.what() << '\n';
    return 1;
  }
}
