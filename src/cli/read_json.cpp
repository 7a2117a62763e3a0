// Reads and checks JSON given on the command line.
#include "cli/read_json.hpp"

#include <cerrno>
#include <fstream>
#include <iostream>
#include <system_error>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/text.hpp"

namespace outbox::cli {

namespace {

using core::Error;
using core::ExitCode;

constexpr std::size_t kMost = std::size_t{64} << 20U;

std::string read_stream(std::istream& in, const std::string& what) {
  std::string text;
  std::string chunk(std::size_t{64} << 10U, '\0');
  while (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || in.gcount() > 0) {
    text.append(chunk, 0, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMost)
      throw Error{ExitCode::usage, what + " has more than 64 MiB",
                  "the database takes 1 MiB unless a DBA raised that"};
  }
  if (in.bad()) throw Error{ExitCode::usage, "cannot read " + what};
  return text;
}

std::string content(const std::string& given) {
  if (given == "-") return read_stream(std::cin, "standard input");
  if (given.empty() || given.front() != '@') return given;
  const std::string file = given.substr(1);
  std::ifstream in{file, std::ios::binary};
  if (!in)
    throw Error{ExitCode::usage,
                "cannot read the file " + file + ": " + std::generic_category().message(errno),
                "write @FILE, - or the JSON itself"};
  return read_stream(in, file);
}

}  // namespace

std::string read_json(const std::string& option, const std::string& given, Expect expect) {
  std::string text = content(given);
  // nlohmann takes a NUL for the end, and libpqxx would cut the text there.
  if (text.find('\0') != std::string::npos) {
    throw Error{ExitCode::usage, option + " is not JSON: it holds a NUL byte",
                "retrying unchanged does not help"};
  }
  try {
    const auto json = nlohmann::json::parse(text);
    if (expect == Expect::object && !json.is_object()) {
      throw Error{ExitCode::usage,
                  option + " is a JSON " + json.type_name() + "; an object is expected",
                  R"(as in {"name": "value"})"};
    }
  } catch (const nlohmann::json::exception& e) {
    // "[json.exception.parse_error.101] parse error at …": the part for people comes after the
    // bracket.
    std::string_view why = e.what();
    if (const auto end = why.find("] "); end != std::string_view::npos) why.remove_prefix(end + 2);
    throw Error{ExitCode::usage, option + " is not JSON: " + core::printable(why, 500),
                "quote it for the shell, as in '{\"to\": 1}'; write text as '\"text\"'"};
  }
  return text;
}

}  // namespace outbox::cli
