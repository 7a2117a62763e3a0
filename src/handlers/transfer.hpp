// One request on its way, on a curl easy handle that is used again and again for its kind.
#pragma once

#include <curl/curl.h>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/address_guard.hpp"
#include "core/options.hpp"
#include "handlers/http_answer.hpp"
#include "handlers/http_request.hpp"

namespace outbox::handlers {

/// Thread contract: the thread of its HttpLoop.
class Transfer {
 public:
  /// `guard`: addresses to keep away from; nullptr: none. All outlive it. Throws std::bad_alloc.
  Transfer(const core::KindOptions& options, const core::AddressGuard* guard);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Makes it ready for HttpLoop::start. The request is kept until the next one; its body must live
  /// until the transfer is over.
  void prepare(HttpRequest request);
  /// What came of it.
  [[nodiscard]] HttpAnswer answer(CURLcode code);

  [[nodiscard]] CURL* handle() const { return easy_.get(); }
  [[nodiscard]] const HttpRequest& request() const { return request_; }

  std::function<void(CURLcode)> done;  ///< Called by HttpLoop, once for each start.
  /// Called when there is a connection, before the request is sent on it. From within curl: it may
  /// not start or drop transfers.
  std::function<void()> connected;
  std::size_t crowd{0};  ///< HttpLoop's.

 private:
  void set_up();
  void set_up_tls();
  void set_headers();
  [[nodiscard]] HttpPhases phases() const;
  [[nodiscard]] std::string explain(CURLcode code) const;
  static std::size_t on_body(char* data, std::size_t one, std::size_t count, void* self);
  static std::size_t on_header(char* data, std::size_t one, std::size_t count, void* self);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
  void refuse(const std::string& what);
  static int on_request(void* self, char* address, char* local, int port, int local_port);

  struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  const core::KindOptions& options_;
  const core::HttpHandler& http_;
  const core::AddressGuard* guard_;
  std::vector<curl_slist> header_lines_;  // before easy_, which points to them; of request_.headers
  std::unique_ptr<CURL, EasyDeleter> easy_;
  std::string error_buffer_;
  HttpRequest request_;
  HttpAnswer answer_;
  std::size_t header_bytes_{0};
  bool too_large_{false};
  std::string refused_;  // why the guard did
  bool opened_{false};   // a socket to an address that is allowed
  int local_error_{0};   // errno of socket()
};

}  // namespace outbox::handlers
