// Reads both sides of a chaos run and judges it.
//
//   chaos_check --history FILE [--outside FILE] [--starts FILE]
//
// CHAOS_URL is the database. Prints the counts, and each violation (20 of a rule at most); exit
// code 1 if there is one.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>

#include <pqxx/pqxx>

#include "chaos/checker.hpp"

namespace {

using namespace outbox::chaos;

constexpr int kShown = 20;

template <class F>
void each(pqxx::connection& connection, const char* sql, F take) {
  pqxx::work tx{connection};
  for (const auto& row : tx.exec(sql)) take(row);
}

void read_database(const std::string& url, History& history) {
  pqxx::connection connection{url};
  each(
      connection, "SELECT producer, seq, job_id, kind = 'outside' FROM chaos.business",
      [&](const auto& row) {
        history.business.push_back({{row[0].template as<int>(), row[1].template as<std::int64_t>()},
                                    row[2].template as<std::int64_t>(),
                                    row[3].template as<bool>()});
      });
  each(connection,
       "SELECT producer, seq, job_id, attempt, (date_part('epoch', at) * 1000000)::bigint "
       "FROM chaos.effects",
       [&](const auto& row) {
         history.effects.push_back({{row[0].template as<int>(), row[1].template as<std::int64_t>()},
                                    row[2].template as<std::int64_t>(),
                                    row[3].template as<int>(),
                                    row[4].template as<std::int64_t>(),
                                    {}});
       });
  // A dead letter of a job that is also elsewhere shows as two ends.
  each(connection,
       "SELECT s.id, s.state, s.attempt, s.crashes, count(f.job_id) FILTER (WHERE f.reason <> "
       "'crash'), count(f.job_id) FILTER (WHERE f.reason = 'crash'), "
       "coalesce((date_part('epoch', s.ended_at) * 1000000)::bigint, 0) FROM outbox.job_states s "
       "LEFT "
       "JOIN outbox.job_failures f ON f.job_id = s.id GROUP BY s.id, s.state, s.attempt, "
       "s.crashes, s.ended_at",
       [&](const auto& row) {
         history.ends.push_back({row[0].template as<std::int64_t>(), row[1].c_str(),
                                 row[2].template as<int>(), row[3].template as<int>(),
                                 row[4].template as<int>(), row[5].template as<int>(),
                                 row[6].template as<std::int64_t>()});
       });
}

std::vector<Effect> read_file(const std::string& name) {
  std::ifstream in{name};
  return name.empty() ? std::vector<Effect>{} : read_effects(in);
}

int judge(std::map<std::string, std::string>& files, const char* url) {
  History history;
  std::ifstream transactions{files["--history"]};
  history.transactions = read_transactions(transactions);
  history.outside_effects = read_file(files["--outside"]);
  history.starts = read_file(files["--starts"]);
  read_database(url, history);
  const auto report = check(history);
  for (const auto& [name, count] : report.counts) std::cout << name << '=' << count << '\n';
  std::cout << "violations=" << report.violations.size() << '\n';
  std::map<std::string, int> shown;
  for (const auto& violation : report.violations) {
    if (++shown[violation.rule] <= kShown)
      std::cout << violation.rule << ": " << violation.witness << '\n';
  }
  return report.violations.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::map<std::string, std::string> options;
    for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
    const char* url = std::getenv("CHAOS_URL");
    if (url == nullptr || options["--history"].empty())
      throw std::invalid_argument{"expected --history FILE, and CHAOS_URL in the environment"};
    return judge(options, url);
  } catch (const std::exception& e) {
    std::cerr << "chaos_check: " << e.what() << '\n';
    return 2;
  }
}
