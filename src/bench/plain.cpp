// curl_multi_socket_action with epoll: the fastest of curl's own ways.
#include "bench/plain.hpp"

#include <algorithm>
#include <array>
#include <curl/curl.h>
#include <deque>
#include <memory>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/apart.hpp"
#include "bench/engine_run.hpp"
#include "bench/usage.hpp"
#include "handlers/descriptors.hpp"
#include "handlers/http_request.hpp"

namespace outbox::bench {

namespace {

using core::Clock;

// NOLINTBEGIN(cppcoreguidelines-pro-type-vararg): curl's interface
class Plain {
 public:
  Plain(const core::HttpHandler& http, std::int64_t requests)
      : multi_{curl_multi_init()}, epoll_{::epoll_create1(EPOLL_CLOEXEC)}, left_{requests} {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Plain::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Plain::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(http.concurrency));
    set_headers(http);
    const auto at_once = std::min<std::int64_t>(http.concurrency, requests);
    for (std::int64_t i = 0; i < at_once; ++i) add_handle(http);
  }

  void run() {
    while (under_way_ > 0) {
      std::array<epoll_event, 256> events{};
      const int count = ::epoll_wait(epoll_, events.data(), events.size(), wait_ms());
      int running = 0;
      for (int i = 0; i < count; ++i) {
        const auto& event = events.at(static_cast<std::size_t>(i));
        const auto what = ((event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                          ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                          ((event.events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(multi_, event.data.fd, what, &running);
      }
      if (timer_ && *timer_ <= Clock::now()) {
        timer_.reset();
        curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      }
      take_ends();
    }
  }

 private:
  struct Request {
    CURL* easy{};
    std::string body;
  };

  /// Of the benchmark's first job: those of the others are as long.
  void set_headers(const core::HttpHandler& http) {
    Job job;
    job.id = 1'000'000;
    job.kind = kKind;
    job.headers = "{}";
    job.payload = "{}";
    const auto made = handlers::RequestMaker{http, kMessagePrefix}.make(job, 1'800'000'000);
    const auto& lines = made.request.headers;
    for (std::size_t at = 0; at < lines.size(); at = lines.find('\0', at) + 1)
      headers_ = curl_slist_append(headers_, lines.c_str() + at);
  }

  void add_handle(const core::HttpHandler& http) {
    auto& request = requests_.emplace_back();
    request.easy = curl_easy_init();
    curl_easy_setopt(request.easy, CURLOPT_PRIVATE, &request);
    curl_easy_setopt(request.easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(request.easy, CURLOPT_URL, http.url.c_str());
    curl_easy_setopt(request.easy, CURLOPT_HTTPHEADER, headers_);
    send(request);
  }

  void send(Request& request) {
    request.body = "{\"n\": " + std::to_string(left_) + "}";
    --left_;
    ++under_way_;
    curl_easy_setopt(request.easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    curl_easy_setopt(request.easy, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_multi_add_handle(multi_, request.easy);
  }

  void take_ends() {
    int more = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &more)) {
      auto* easy = message->easy_handle;
      long status = 0;
      Request* request = nullptr;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
      if (message->data.result != CURLE_OK || status != 200) {
        throw core::Error{core::ExitCode::failed, std::string{"a plain request failed: "} +
                                                      curl_easy_strerror(message->data.result)};
      }
      curl_multi_remove_handle(multi_, easy);
      --under_way_;
      if (left_ > 0) send(*request);
    }
  }

  [[nodiscard]] int wait_ms() const {
    if (!timer_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*timer_ - Clock::now()).count();
    return static_cast<int>(std::max<std::int64_t>(0, left));
  }

  static int on_socket(CURL* /*easy*/, curl_socket_t fd, int what, void* self, void* known) {
    auto& plain = *static_cast<Plain*>(self);
    epoll_event event{};
    event.data.fd = fd;
    if (what != CURL_POLL_OUT) event.events |= EPOLLIN;
    if (what != CURL_POLL_IN) event.events |= EPOLLOUT;
    const int operation = what == CURL_POLL_REMOVE ? EPOLL_CTL_DEL
                          : known == nullptr       ? EPOLL_CTL_ADD
                                                   : EPOLL_CTL_MOD;
    ::epoll_ctl(plain.epoll_, operation, fd, &event);
    curl_multi_assign(plain.multi_, fd, self);
    return 0;
  }

  static int on_timer(CURLM* /*multi*/, long timeout_ms, void* self) {
    auto& timer = static_cast<Plain*>(self)->timer_;
    timer.reset();
    if (timeout_ms >= 0) timer = Clock::now() + std::chrono::milliseconds{timeout_ms};
    return 0;
  }

  CURLM* multi_;  // nothing is freed: its process ends with it
  int epoll_;
  curl_slist* headers_{nullptr};
  std::deque<Request> requests_;
  std::int64_t left_;
  int under_way_{0};
  std::optional<Clock::time_point> timer_;
};
// NOLINTEND(cppcoreguidelines-pro-type-vararg)

}  // namespace

PlainRun deliver_plainly(const core::KindOptions& kind, std::int64_t requests) {
  const Shared<PlainRun> run;
  Apart process{-1, [&] {
                  handlers::raise_descriptor_limit();
                  forget_peak();
                  curl_global_init(CURL_GLOBAL_DEFAULT);
                  const double cpu = cpu_seconds();
                  const auto start = Clock::now();
                  Plain{*kind.http, requests}.run();
                  run->seconds = std::chrono::duration<double>(Clock::now() - start).count();
                  run->cpu_seconds = cpu_seconds() - cpu;
                  run->peak_rss_mb = peak_rss_mb();
                }};
  process.wait();
  return *run;
}

}  // namespace outbox::bench
