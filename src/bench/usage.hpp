// What this process has used up. Any thread.
#pragma once

namespace outbox::bench {

/// Of all its threads, in user and system mode.
[[nodiscard]] double cpu_seconds();

/// Most resident memory in MB (10^6 bytes) since the start or forget_peak().
[[nodiscard]] double peak_rss_mb();
void forget_peak();

}  // namespace outbox::bench
