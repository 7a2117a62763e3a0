// What one measurement says. A value.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace outbox::bench {

/// What was not measured is empty.
struct Line {
  std::string scenario;
  std::vector<std::pair<std::string, std::string>> parameters{};
  std::optional<double> jobs_per_s{};
  std::optional<double> p50_ms{}, p99_ms{},
      max_ms{};  ///< Of what the scenario says: claims, or latency.
  std::optional<double> wal_bytes_per_job{};
  std::optional<double> commits_per_job{};
  std::optional<double> hot_update_ratio{};
  std::optional<double> backlog{};
  std::optional<double> rss_mb{};
  std::vector<std::pair<std::string, double>> more{};  ///< Numbers that only this scenario has.
};

/// The value below which a share `p` of them lies; 0 for none. Sorts a copy.
[[nodiscard]] double percentile(std::vector<double> values, double p);

/// Fills p50, p99 and max.
void set_times(Line& line, const std::vector<double>& milliseconds);

/// Resident memory of this process in MB (10^6 bytes).
[[nodiscard]] double rss_mb();

}  // namespace outbox::bench
