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

HttpLoop::HttpLoop(long connections_most, core::milliseconds idle_most)
    : connections_most_{connections_most}, idle_most_{idle_most} {
  initialise_curl();
  (void)crowd_with_room();
  thread_ = std::thread{[this] {
    ::pthread_setname_np(::pthread_self(), "http");
    loop_.run();
  }};
}

HttpLoop::~HttpLoop() {
  loop_.stop();
  thread_.join();
}

/// The first one, or a new one.
std::size_t HttpLoop::crowd_with_room() {
  std::size_t at = 0;
  while (at < crowds_.size() && crowds_[at]->under_way >= kCrowd) ++at;
  if (at == crowds_.size()) crowds_.push_back(std::make_unique<Crowd>(*this));
  // Only the first one is used while there is little to do, and then by the requests of all kinds.
  if (!crowds_[at]->multi) open(*crowds_[at], at == 0 ? connections_most_ : long{kCrowd});
  return at;
}

void HttpLoop::open(Crowd& crowd, long connections_most) {
  crowd.multi.reset(curl_multi_init());
  auto* multi = crowd.multi.get();
  if (multi == nullptr) throw std::bad_alloc{};
  set(multi, CURLMOPT_SOCKETFUNCTION, &HttpLoop::on_socket);
  set(multi, CURLMOPT_SOCKETDATA, &crowd);
  set(multi, CURLMOPT_TIMERFUNCTION, &HttpLoop::on_timer);
  set(multi, CURLMOPT_TIMERDATA, &crowd);
  set(multi, CURLMOPT_MAXCONNECTS, connections_most);
  set(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
}

bool HttpLoop::start(Transfer& transfer) {
  transfer.crowd = crowd_with_room();
  auto& crowd = *crowds_[transfer.crowd];
  if (crowd.under_way++ == 0) loop_.cancel(crowd.idle);
  if (curl_multi_add_handle(crowd.multi.get(), transfer.handle()) == CURLM_OK) return true;
  --crowd.under_way;
  return false;
}

void HttpLoop::drop(Transfer& transfer) {
  auto& crowd = *crowds_[transfer.crowd];
  curl_multi_remove_handle(crowd.multi.get(), transfer.handle());
  if (--crowd.under_way > 0 || transfer.crowd == 0) return;
  // curl sees that a server has closed a connection when it looks for one to use.
  crowd.idle = loop_.at(Loop::Clock::now() + idle_most_, [&crowd] {
    crowd.multi.reset();
    crowd.http.loop_.cancel(crowd.timer);
  });
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
  auto& crowd = *static_cast<Crowd*>(self);
  auto& http = crowd.http;
  if (what == CURL_POLL_REMOVE) {
    http.loop_.forget(fd);
    return 0;
  }
  if (known != nullptr) {
    http.loop_.modify(fd, to_epoll(what));
    return 0;
  }
  http.loop_.watch(fd, to_epoll(what), [&crowd, fd](std::uint32_t events) {
    crowd.http.act(crowd, fd, to_curl(events));
  });
  curl_multi_assign(crowd.multi.get(), fd, self);
  return 0;
}

int HttpLoop::on_timer(CURLM* /*multi*/, long timeout_ms, void* self) {
  auto& crowd = *static_cast<Crowd*>(self);
  auto& loop = crowd.http.loop_;
  loop.cancel(crowd.timer);
  crowd.timer = {};
  if (timeout_ms < 0) return 0;
  crowd.timer = loop.at(Loop::Clock::now() + std::chrono::milliseconds{timeout_ms},
                        [&crowd] { crowd.http.act(crowd, CURL_SOCKET_TIMEOUT, 0); });
  return 0;
}

void HttpLoop::act(Crowd& crowd, curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(crowd.multi.get(), fd, events, &running);
  finish(crowd);
}

void HttpLoop::finish(Crowd& crowd) {
  std::vector<std::pair<Transfer*, CURLcode>> over;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(crowd.multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Transfer* transfer = nullptr;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): curl's interface
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    over.emplace_back(transfer, message->data.result);
  }
  for (const auto& [transfer, code] : over) drop(*transfer);
  for (const auto& [transfer, code] : over) transfer->done(code);
}

}  // namespace outbox::handlers
