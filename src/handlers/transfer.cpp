// The settings of curl: verified TLS of 1.2 at least, no redirects, no proxy, no other protocols.
#include "handlers/transfer.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <strings.h>
#include <sys/socket.h>
#include <system_error>

#include "core/duration.hpp"
#include "core/text.hpp"

namespace outbox::handlers {

namespace {

/// Bytes of a body that are kept for its record or its control text.
constexpr std::size_t kBodyKept = 8'192;
constexpr std::size_t kHeadersMost = 65'536;
/// Of each request under way; curl's default of 16 KiB is for downloads.
constexpr long kReceiveBuffer = 1'024;
/// Taken by a request over TLS; curl's least, its default is 64 KiB.
constexpr long kUploadBuffer = 16'384;
/// Servers close idle connections after 5 s (Node) to 75 s (nginx).
constexpr long kIdleSecondsMost = 60;

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): curl's interface
  if (curl_easy_setopt(easy, option, value) == CURLE_OUT_OF_MEMORY) throw std::bad_alloc{};
}

template <class Value>
Value get(CURL* easy, CURLINFO info, Value otherwise) {
  Value value{otherwise};
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): curl's interface
  return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : otherwise;
}

core::microseconds time(CURL* easy, CURLINFO info) {
  return core::microseconds{get<curl_off_t>(easy, info, 0)};
}

std::string header_value(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':' ||
      ::strncasecmp(line.data(), name.data(), name.size()) != 0)
    return {};
  auto value = line.substr(name.size() + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && static_cast<unsigned char>(value.back()) <= ' ') value.remove_suffix(1);
  return core::storable(value, 1'024);
}

}  // namespace

Transfer::Transfer(const core::KindOptions& options, const core::AddressGuard* guard)
    : options_{options},
      http_{*options.http},
      guard_{guard},
      easy_{curl_easy_init()},
      error_buffer_(CURL_ERROR_SIZE, '\0') {
  if (!easy_) throw std::bad_alloc{};
  set_up();
  set_up_tls();
}

Transfer::~Transfer() = default;

void Transfer::set_up() {
  auto* easy = easy_.get();
  set(easy, CURLOPT_PRIVATE, this);
  set(easy, CURLOPT_ERRORBUFFER, error_buffer_.data());
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_QUICK_EXIT, 1L);  // a look-up that hangs must not hold up who drops the request
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(easy, CURLOPT_PATH_AS_IS, 1L);
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy, CURLOPT_PROXY, "");  // nor one from the environment
  set(easy, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  set(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
  set(easy, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::min(http_.connect_timeout, options_.timeout).count()));
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  set(easy, CURLOPT_MAXAGE_CONN, kIdleSecondsMost);
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy, CURLOPT_HTTP_VERSION,
      static_cast<long>(http_.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(easy, CURLOPT_WRITEDATA, this);
  set(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(easy, CURLOPT_HEADERDATA, this);
  set(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_open);
  set(easy, CURLOPT_OPENSOCKETDATA, this);
  set(easy, CURLOPT_POST, 1L);
  if (http_.method != "POST") set(easy, CURLOPT_CUSTOMREQUEST, http_.method.c_str());
  set(easy, CURLOPT_PREREQFUNCTION, &Transfer::on_request);
  set(easy, CURLOPT_PREREQDATA, this);
}

void Transfer::set_up_tls() {
  auto* easy = easy_.get();
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!http_.ca_file.empty()) {
    set(easy, CURLOPT_CAINFO, http_.ca_file.c_str());
    set(easy, CURLOPT_CAPATH, static_cast<char*>(nullptr));  // instead of, not beside
  }
  if (!http_.client_cert_file.empty()) {
    set(easy, CURLOPT_SSLCERT, http_.client_cert_file.c_str());
    set(easy, CURLOPT_SSLKEY, http_.client_key_file.c_str());
    set(easy, CURLOPT_KEYPASSWD, "");  // or OpenSSL asks for one at the terminal, and waits
  }
}

void Transfer::prepare(HttpRequest request) {
  auto* easy = easy_.get();
  request_ = std::move(request);
  answer_ = {};
  header_bytes_ = 0;
  too_large_ = false;
  refused_.clear();
  opened_ = false;
  local_error_ = 0;
  error_buffer_[0] = '\0';
  set_headers();
  set(easy, CURLOPT_URL, request_.url.c_str());
  set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
  set(easy, CURLOPT_POSTFIELDS, request_.body.data());
}

/// curl only reads the list, which makes it a view of the lines that are there.
void Transfer::set_headers() {
  // curl would ask before it sends a body of more than 1 MiB, and wait a second for the answer.
  static std::array<char, 8> no_question{"Expect:"};
  auto& text = request_.headers;
  header_lines_.assign(1, {no_question.data(), nullptr});
  for (std::size_t at = 0; at < text.size(); at = text.find('\0', at) + 1)
    header_lines_.push_back({text.data() + at, nullptr});
  for (std::size_t i = 1; i < header_lines_.size(); ++i)
    header_lines_[i - 1].next = &header_lines_[i];
  set(easy_.get(), CURLOPT_HTTPHEADER, header_lines_.data());
}

HttpAnswer Transfer::answer(CURLcode code) {
  auto* easy = easy_.get();
  using End = HttpAnswer::End;
  answer_.status = get<long>(easy, CURLINFO_RESPONSE_CODE, 0);
  answer_.phases = phases();
  if (const char* address = get<char*>(easy, CURLINFO_PRIMARY_IP, nullptr); address != nullptr)
    answer_.address = address;
  // A body that is larger than we read changes nothing about what the status says.
  if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && too_large_)) {
    answer_.end = End::answered;
    return std::move(answer_);
  }
  answer_.end = !refused_.empty()                                  ? End::not_allowed
                : local_error_ != 0 || code == CURLE_OUT_OF_MEMORY ? End::not_sent
                : code == CURLE_OPERATION_TIMEDOUT                 ? End::timeout
                                                                   : End::failed;
  answer_.error = explain(code);
  return std::move(answer_);
}

HttpPhases Transfer::phases() const {
  auto* easy = easy_.get();
  return {.resolved = time(easy, CURLINFO_NAMELOOKUP_TIME_T),
          .connected = time(easy, CURLINFO_CONNECT_TIME_T),
          .secured = time(easy, CURLINFO_APPCONNECT_TIME_T),
          .first_byte = time(easy, CURLINFO_STARTTRANSFER_TIME_T),
          .total = time(easy, CURLINFO_TOTAL_TIME_T)};
}

std::string Transfer::explain(CURLcode code) const {
  if (!refused_.empty()) return refused_;
  if (local_error_ != 0)
    return "this process cannot open another socket: " +
           std::generic_category().message(local_error_);
  const char* said = error_buffer_.c_str();
  std::string why = *said != '\0' ? said : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return "no whole answer within " + core::format_duration(options_.timeout) + ": " + why +
             "; hint: raise timeout or connect_timeout of this kind, if it is only slow";
    case CURLE_COULDNT_RESOLVE_HOST:
      return why + "; hint: check the host name, and DNS";
    case CURLE_COULDNT_CONNECT:
      return why + "; hint: is it running, and does a firewall allow it?";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return "its certificate is not accepted: " + why +
             "; hint: mend the certificate, or name its authority with ca_file";
    case CURLE_SSL_CONNECT_ERROR:
      return why +
             "; hint: it must speak TLS 1.2 or later on this port; if it asks for a client "
             "certificate, set client_cert_file and client_key_file of this kind";
    case CURLE_SSL_CERTPROBLEM:
      return why +
             "; hint: check client_cert_file and client_key_file of this kind; the key must have "
             "no password";
    default:
      break;
  }
  // With TLS 1.3 a server refuses the client only after the handshake, when curl reads.
  const bool refused = why.find("alert") != std::string::npos;
  if (refused && why.find("certificate") != std::string::npos)
    return why +
           "; hint: it wants a client certificate that it knows; check client_cert_file and "
           "client_key_file of this kind";
  return why;
}

std::size_t Transfer::on_body(char* data, std::size_t one, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const auto bytes = one * count;
  auto& answer = transfer.answer_;
  if (answer.body_bytes + static_cast<std::int64_t>(bytes) > transfer.http_.response_most) {
    transfer.too_large_ = true;
    return 0;
  }
  answer.body_bytes += static_cast<std::int64_t>(bytes);
  if (answer.body.size() < kBodyKept)
    answer.body.append(data, std::min(bytes, kBodyKept - answer.body.size()));
  return bytes;
}

std::size_t Transfer::on_header(char* data, std::size_t one, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const auto bytes = one * count;
  transfer.header_bytes_ += bytes;
  if (transfer.header_bytes_ > kHeadersMost) return 0;
  const std::string_view line{data, bytes};
  if (auto value = header_value(line, "retry-after"); !value.empty())
    transfer.answer_.retry_after = std::move(value);
  if (auto value = header_value(line, "location"); !value.empty())
    transfer.answer_.location = std::move(value);
  return bytes;
}

curl_socket_t Transfer::on_open(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.guard_ != nullptr) {
    const auto what = transfer.guard_->refuse(address->addr);
    if (!what.empty()) {
      // Of several addresses one may be allowed: then it counts what comes of that one.
      if (!transfer.opened_) transfer.refuse(what);
      return CURL_SOCKET_BAD;
    }
  }
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0 && errno != EAFNOSUPPORT && !transfer.opened_) transfer.local_error_ = errno;
  if (fd < 0) return CURL_SOCKET_BAD;
  transfer.opened_ = true;
  transfer.refused_.clear();
  transfer.local_error_ = 0;
  return fd;
}

int Transfer::on_request(void* self, char* address, char* /*local*/, int /*port*/,
                         int /*local_port*/) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.guard_ != nullptr) {
    // A connection that another kind has opened may be used again: looked at before each request.
    if (const auto what = transfer.guard_->refuse(address); !what.empty()) {
      transfer.refuse(what);
      return CURL_PREREQFUNC_ABORT;
    }
  }
  if (transfer.connected) transfer.connected();
  return CURL_PREREQFUNC_OK;
}

void Transfer::refuse(const std::string& what) {
  refused_ = "the host of the URL leads to " + what +
             ", where a URL from a payload may not go; hint: if it is meant, list its network in "
             "allow_addresses of this kind";
}

}  // namespace outbox::handlers
