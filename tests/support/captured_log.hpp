// Takes the log lines of a test case into memory. Main thread; the lines may come from any.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "observe/log.hpp"

namespace outbox::test {

class CapturedLog {
 public:
  CapturedLog(const std::string& level, core::LogFormat format) {
    observe::init_log({.level = level, .format = format}, out_);
  }
  ~CapturedLog() { observe::init_log({.level = "warn", .format = core::LogFormat::human}); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  [[nodiscard]] std::string text() const { return out_.str(); }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> out;
    std::istringstream in{out_.str()};
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }

 private:
  std::ostringstream out_;
};

}  // namespace outbox::test
