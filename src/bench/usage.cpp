// getrusage, and what /proc/self has.
#include "bench/usage.hpp"

#include <fstream>
#include <string>
#include <sys/resource.h>

namespace outbox::bench {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double peak_rss_mb() {
  std::ifstream status{"/proc/self/status"};
  std::string name;
  while (status >> name) {
    if (name == "VmHWM:") {
      double kib = 0;
      status >> kib;
      return kib * 1024 / 1e6;
    }
    std::getline(status, name);
  }
  return 0;
}

void forget_peak() {
  constexpr int kResetPeak = 5;  // proc(5), clear_refs
  std::ofstream{"/proc/self/clear_refs"} << kResetPeak;
}

}  // namespace outbox::bench
