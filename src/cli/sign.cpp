// Options and output of the command sign.
#include "cli/sign.hpp"

#include <array>
#include <chrono>
#include <iostream>

#include "cli/output.hpp"
#include "config/secret.hpp"
#include "core/error.hpp"
#include "core/signing_key.hpp"
#include "handlers/signer.hpp"

namespace outbox::cli {

namespace {

using core::ExitCode;

/// As large as a payload may be made by a setting, and then some.
constexpr std::size_t kSignedMost = 16U * 1024U * 1024U;

struct SignOptions {
  std::string secret_file;
  std::string id{"msg_test"};
  std::int64_t timestamp{-1};
  bool json{};
};

std::vector<core::SigningKey> read_keys(const std::string& file) {
  const auto secret = config::read_secret_file(file);
  if (!secret.text) throw core::Error{ExitCode::configuration, secret.problem, secret.hint};
  auto parsed = core::parse_signing_keys(*secret.text);
  if (!parsed.problem.empty())
    throw core::Error{ExitCode::configuration, "--secret-file: " + parsed.problem, parsed.hint};
  return std::move(parsed.keys);
}

std::string read_body() {
  std::string body;
  std::array<char, 65'536> buffer{};
  while (std::cin.read(buffer.data(), buffer.size()) || std::cin.gcount() > 0) {
    body.append(buffer.data(), static_cast<std::size_t>(std::cin.gcount()));
    if (body.size() > kSignedMost)
      throw core::Error{ExitCode::usage,
                        "standard input is larger than 16 MiB, the most that is signed"};
  }
  return body;
}

void check_id(const std::string& id) {
  const bool printable =
      id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
      std::string::npos;
  if (id.empty() || id.size() > 256 || !printable)
    throw core::Error{ExitCode::usage, "--id: expected 1 to 256 letters, digits, '_' and '-'"};
}

ExitCode sign(const SignOptions& options) {
  check_id(options.id);
  const handlers::Signer signer{read_keys(options.secret_file)};
  const auto body = read_body();
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const auto timestamp = options.timestamp < 0 ? now.count() : options.timestamp;
  const auto signature = signer.sign(options.id, timestamp, body);
  if (options.json) {
    print(document({{"webhook-id", options.id},
                    {"webhook-timestamp", std::to_string(timestamp)},
                    {"webhook-signature", signature}}));
  } else {
    print("webhook-id: " + options.id + "\nwebhook-timestamp: " + std::to_string(timestamp) +
          "\nwebhook-signature: " + signature + "\n");
  }
  return ExitCode::ok;
}

}  // namespace

void add_sign(CLI::App& app, const OnRun& on_run) {
  const auto options = std::make_shared<SignOptions>();
  CLI::App& command = *app.add_subcommand(
      "sign", "Sign standard input as an http kind signs its requests; prints the headers");
  command.add_option("--secret-file", options->secret_file, "File with the keys, as signing_file")
      ->required();
  command.add_option("--id", options->id, "Message id")->capture_default_str();
  command.add_option("--timestamp", options->timestamp, "Seconds since 1970; default now")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{253'402'300'799}));
  command.add_flag("--json", options->json, "Print one JSON document");
  command.callback([options, on_run] { on_run([options] { return sign(*options); }); });
}

}  // namespace outbox::cli
