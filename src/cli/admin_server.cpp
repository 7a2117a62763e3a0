// Routes and limits of the HTTP endpoint.
#include "cli/admin_server.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <netdb.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>

#include <httplib.h>

#include <outbox/version.hpp>

#include "cli/output.hpp"
#include "core/error.hpp"

namespace outbox::cli {

namespace {

using httplib::Request;
using httplib::Response;

constexpr std::size_t kThreads = 3;
constexpr std::size_t kBodyMost = 8'192;
constexpr std::time_t kTimeoutSeconds = 5;
constexpr std::size_t kRequestsPerConnection = 16;

constexpr int kMethodNotAllowed = 405;
constexpr int kMisdirected = 421;
constexpr int kInternalError = 500;
constexpr int kUnavailable = 503;

void reply(Response& response, int status, const Json& json) {
  response.status = status;
  response.set_content(json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n',
                       "application/json");
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

/// The name in a Host header, lower-case, without its port and without brackets.
std::string host_name(std::string host) {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    host = end == std::string::npos ? std::string{} : host.substr(1, end - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  std::transform(host.begin(), host.end(), host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return host;
}

std::string address(const std::string& host, int port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

/// Empty when the host name means something to this machine.
std::string unknown_host(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int problem = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (problem != 0) return ::gai_strerror(problem);
  ::freeaddrinfo(found);
  return {};
}

}  // namespace

struct AdminServer::Impl {
  Impl(std::string bound_host, std::function<engine::Health()> ask, observe::Events& emit)
      : host{std::move(bound_host)}, health{std::move(ask)}, events{emit} {}

  void configure();
  void add_routes();
  void get(const char* path, std::function<void(Response&)> answer);
  void listen(int wanted);
  [[nodiscard]] bool is_for_us(const Request& request) const;

  std::string host;
  std::function<engine::Health()> health;
  observe::Events& events;
  httplib::Server server;
  int port{0};
  std::thread thread;
};

void AdminServer::Impl::configure() {
  server.new_task_queue = [] { return new httplib::ThreadPool{kThreads}; };
  server.set_payload_max_length(kBodyMost);
  server.set_read_timeout(kTimeoutSeconds);
  server.set_write_timeout(kTimeoutSeconds);
  server.set_keep_alive_max_count(kRequestsPerConnection);
  server.set_keep_alive_timeout(1);  // also the longest that an idle client can hold up the end
  server.set_default_headers(
      {{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
  // httplib would set SO_REUSEPORT, and a second outboxd would silently share the port with the
  // first.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
}

bool AdminServer::Impl::is_for_us(const Request& request) const {
  if (!is_loopback(host)) return true;
  const std::string name = host_name(request.get_header_value("Host"));
  return name == host || name == "localhost" || name == "127.0.0.1" || name == "::1";
}

void AdminServer::Impl::get(const char* path, std::function<void(Response&)> answer) {
  server.Get(path, [this, answer = std::move(answer)](const Request& request, Response& response) {
    if (is_for_us(request)) {
      answer(response);
    } else {
      reply(response, kMisdirected,
            {{"error", "the Host header names another host: expected localhost or " + host}});
    }
  });
}

void AdminServer::Impl::add_routes() {
  get("/health", [](Response& response) {
    reply(response, 200, {{"status", "up"}, {"version", std::string{kVersion}}});
  });
  get("/ready", [this](Response& response) {
    const engine::Health now = health();
    reply(response, now.ready ? 200 : kUnavailable,
          {{"ready", now.ready},
           {"why_not", now.why_not.empty() ? Json(nullptr) : Json(now.why_not)},
           {"processor", now.processor},
           {"schema", now.schema},
           {"heartbeat_age_ms", now.heartbeat_age.count()},
           {"uptime_ms", now.uptime.count()},
           {"version", std::string{kVersion}}});
  });
  get("/metrics", [this](Response& response) {
    response.set_content(events.metrics_text(), "text/plain; version=0.0.4; charset=utf-8");
  });
  // As routes, and not before routing, so that a body is read and cannot be taken for the next
  // request.
  const auto refuse = [](const Request&, Response& response) {
    response.set_header("Allow", "GET, HEAD");
    reply(response, kMethodNotAllowed, {{"error", "only GET is answered"}});
  };
  server.Post(".*", refuse)
      .Put(".*", refuse)
      .Patch(".*", refuse)
      .Delete(".*", refuse)
      .Options(".*", refuse);
  server.set_error_handler([](const Request&, Response& response) {
    if (response.body.empty())
      reply(response, response.status, {{"error", "expected GET /health, /ready or /metrics"}});
  });
  server.set_exception_handler([](const Request&, Response& response, const std::exception_ptr&) {
    reply(response, kInternalError, {{"error", "internal error"}});
  });
}

void AdminServer::Impl::listen(int wanted) {
  std::string reason = unknown_host(host);
  if (reason.empty()) {
    errno = 0;
    port = wanted == 0 ? server.bind_to_any_port(host)
                       : (server.bind_to_port(host, wanted) ? wanted : -1);
    if (port > 0) {
      thread = std::thread{[this] { server.listen_after_bind(); }};
      while (!server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
      return;
    }
    reason = errno == 0 ? "unknown reason" : std::generic_category().message(errno);
  }
  throw core::Error{
      core::ExitCode::configuration,
      "cannot listen on " + address(host, wanted) + " for the admin endpoint: " + reason,
      "choose an address of this machine and a port that is free"};
}

AdminServer::AdminServer(const std::string& host, int port, std::function<engine::Health()> health,
                         observe::Events& events)
    : impl_{std::make_unique<Impl>(host, std::move(health), events)} {
  impl_->configure();
  impl_->add_routes();
  impl_->listen(port);
  events.notice("admin endpoint: http://" + address(host, impl_->port));
}

AdminServer::~AdminServer() {
  impl_->server.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

int AdminServer::port() const { return impl_->port; }

}  // namespace outbox::cli
