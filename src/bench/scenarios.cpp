// The table of scenarios.
#include "bench/scenarios.hpp"

#include <array>

namespace outbox::bench {

namespace {

constexpr std::array<Scenario, 11> kScenarios{{
    {"drain", "jobs waiting, a handler that does nothing: first claim to last commit", drain},
    {"effect", "a handler that inserts a row, exactly once, in each lane", effect},
    {"latency", "from just before the INSERT to the handler's start, while idle", latency},
    {"enqueue", "1, 16 and 64 producers, with and without the wake-up trigger", enqueue},
    {"steady", "a rate held for a time, a line a second; --pin holds a snapshot open", steady},
    {"backlog", "claim times with 1k, 1M and 10M jobs waiting, and 1M scheduled", backlog},
    {"idle", "queries, CPU and memory of an idle processor; start and stop", idle},
    {"http", "deliveries to a local endpoint that answers at once, beside a plain curl loop", http},
    {"http_slow", "the same, 5,000 at a time, to one that answers after a second", http_slow},
    {"exec", "a program for each job: /bin/true", exec},
    {"floor", "the statements alone, without engine and handlers", floor_of_sql},
}};

}  // namespace

std::span<const Scenario> scenarios() { return kScenarios; }

}  // namespace outbox::bench
