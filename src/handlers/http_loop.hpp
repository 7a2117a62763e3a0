// The one thread that drives every HTTP request of the process: curl's multi interface on our event
// loop.
#pragma once

#include <curl/curl.h>
#include <functional>
#include <memory>
#include <thread>

#include "handlers/loop.hpp"
#include "handlers/transfer.hpp"

namespace outbox::handlers {

/// Thread contract: loop().post() and run_here() from any thread; all else on the loop's thread.
class HttpLoop {
 public:
  /// Starts the thread. `connections_most`: idle ones that are kept for use again. Throws
  /// std::system_error, std::bad_alloc.
  explicit HttpLoop(long connections_most);
  ~HttpLoop();
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;

  [[nodiscard]] Loop& loop() { return loop_; }

  /// Sends what was prepared; transfer.done follows, never from within this call.
  void start(Transfer& transfer);
  /// Ends it without done.
  void drop(Transfer& transfer);

  /// Runs `function` on the loop's thread and waits for its end.
  void run_here(const std::function<void()>& function);

 private:
  struct MultiDeleter {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  void act(curl_socket_t fd, int events);
  void finish();

  Loop loop_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  Loop::TimerId timer_{};
  std::thread thread_;
};

}  // namespace outbox::handlers
