// The one thread that drives every HTTP request of the process: curl's multi interface on our event
// loop.
//
// curl looks for a connection to use again by walking along all of them to the same host, which is
// most of the work when thousands are busy. So each multi handle has at most kCrowd requests, and
// the next one is used only when those before it are full: few requests share few connections.
#pragma once

#include <curl/curl.h>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "handlers/loop.hpp"
#include "handlers/transfer.hpp"

namespace outbox::handlers {

/// Requests under way on one multi handle: 5,000 on one took 2.5 times the CPU.
inline constexpr int kCrowd = 256;

/// Thread contract: loop().post() and run_here() from any thread; all else on the loop's thread.
class HttpLoop {
 public:
  /// Starts the thread. `connections_most`: idle ones that are kept for use again. `idle_most`: a
  /// crowd that nothing needs is closed after so long. Throws std::system_error, std::bad_alloc.
  explicit HttpLoop(long connections_most, core::milliseconds idle_most = std::chrono::seconds{60});
  ~HttpLoop();
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;

  [[nodiscard]] Loop& loop() { return loop_; }

  /// Sends what was prepared; transfer.done follows, never from within this call. False: there is
  /// no memory to send it, and no done.
  [[nodiscard]] bool start(Transfer& transfer);
  /// Ends it without done.
  void drop(Transfer& transfer);

  /// Runs `function` on the loop's thread and waits for its end.
  void run_here(const std::function<void()>& function);

 private:
  struct MultiDeleter {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  struct Crowd {
    explicit Crowd(HttpLoop& its_http) : http{its_http} {}
    HttpLoop& http;
    Loop::TimerId timer{};
    Loop::TimerId idle{};
    int under_way{0};
    std::unique_ptr<CURLM, MultiDeleter> multi;  // its end still calls back
  };
  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  [[nodiscard]] std::size_t crowd_with_room();
  void open(Crowd& crowd, long connections_most);
  void act(Crowd& crowd, curl_socket_t fd, int events);
  void finish(Crowd& crowd);

  const long connections_most_;
  const core::milliseconds idle_most_;
  Loop loop_;
  std::vector<std::unique_ptr<Crowd>> crowds_;
  std::thread thread_;
};

}  // namespace outbox::handlers
