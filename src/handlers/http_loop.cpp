// curl tells which sockets and which timeout it waits for; the loop tells curl what came.
#include "handlers/http_loop.hpp"

#include <future>
#include <new>
#include <pthread.h>
#include <sys/epoll.h>
#include <utility>
#include <vector>

namespace outbox::handlers {

namespace {

template <class Value>
void set(CURLM* multi, CURLMoption option, Value value) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): curl's interface
  curl_multi_setopt(multi, option, value);
}

std::uint32_t to_epoll(int what) {
  std::uint32_t events = 0;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) events |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) events |= EPOLLOUT;
  return events;
}

int to_curl(std::uint32_t events) {
  int what = 0;
  if ((events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
  return what;
}

void initialise_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::bad_alloc{};
}

}  // namespace

HttpLoop::HttpLoop(long connections_most) {
  initialise_curl();
  multi_.reset(curl_multi_init());
  if (!multi_) throw std::bad_alloc{};
  auto* multi = multi_.get();
  set(multi, CURLMOPT_SOCKETFUNCTION, &HttpLoop::on_socket);
  set(multi, CURLMOPT_SOCKETDATA, this);
  set(multi, CURLMOPT_TIMERFUNCTION, &HttpLoop::on_timer);
  set(multi, CURLMOPT_TIMERDATA, this);
  set(multi, CURLMOPT_MAXCONNECTS, connections_most);
  set(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  thread_ = std::thread{[this] {
    ::pthread_setname_np(::pthread_self(), "http");
    loop_.run();
  }};
}

HttpLoop::~HttpLoop() {
  loop_.stop();
  thread_.join();
}

void HttpLoop::start(Transfer& transfer) { curl_multi_add_handle(multi_.get(), transfer.handle()); }

void HttpLoop::drop(Transfer& transfer) {
  curl_multi_remove_handle(multi_.get(), transfer.handle());
}

void HttpLoop::run_here(const std::function<void()>& function) {
  std::promise<void> done;
  loop_.post([&] {
    function();
    done.set_value();
  });
  done.get_future().wait();
}

int HttpLoop::on_socket(CURL* /*easy*/, curl_socket_t fd, int what, void* self, void* known) {
  auto& http = *static_cast<HttpLoop*>(self);
  if (what == CURL_POLL_REMOVE) {
    http.loop_.forget(fd);
    return 0;
  }
  if (known != nullptr) {
    http.loop_.modify(fd, to_epoll(what));
    return 0;
  }
  http.loop_.watch(fd, to_epoll(what),
                   [&http, fd](std::uint32_t events) { http.act(fd, to_curl(events)); });
  curl_multi_assign(http.multi_.get(), fd, self);
  return 0;
}

int HttpLoop::on_timer(CURLM* /*multi*/, long timeout_ms, void* self) {
  auto& http = *static_cast<HttpLoop*>(self);
  http.loop_.cancel(http.timer_);
  http.timer_ = {};
  if (timeout_ms < 0) return 0;
  http.timer_ = http.loop_.at(Loop::Clock::now() + std::chrono::milliseconds{timeout_ms},
                              [&http] { http.act(CURL_SOCKET_TIMEOUT, 0); });
  return 0;
}

void HttpLoop::act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_.get(), fd, events, &running);
  finish();
}

void HttpLoop::finish() {
  std::vector<std::pair<Transfer*, CURLcode>> over;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Transfer* transfer = nullptr;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): curl's interface
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    over.emplace_back(transfer, message->data.result);
  }
  for (const auto& [transfer, code] : over)
    curl_multi_remove_handle(multi_.get(), transfer->handle());
  for (const auto& [transfer, code] : over) transfer->done(code);
}

}  // namespace outbox::handlers
