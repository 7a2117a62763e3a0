// Numbers for people.
#include "bench/line.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <unistd.h>

namespace outbox::bench {

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  const auto last = static_cast<double>(values.size() - 1);
  const auto at = static_cast<std::ptrdiff_t>(std::llround(p * last));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

void set_times(Line& line, const std::vector<double>& milliseconds) {
  if (milliseconds.empty()) return;
  line.p50_ms = percentile(milliseconds, 0.50);
  line.p99_ms = percentile(milliseconds, 0.99);
  line.max_ms = percentile(milliseconds, 1.0);
}

double rss_mb() {
  std::ifstream statm{"/proc/self/statm"};
  double all = 0;
  double resident = 0;
  statm >> all >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

}  // namespace outbox::bench
