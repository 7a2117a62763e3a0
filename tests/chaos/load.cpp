// The producers of a chaos run: each inserts business rows with their jobs, one to four in a
// transaction, at random moments, and writes down what it knows of every transaction.
//
//   chaos_load --history FILE [--rate JOBS_PER_S] [--producers N] [--seconds S] [--seed N] [--kinds
//   a,b]
//
// CHAOS_URL is the database. Every tenth transaction is rolled back; every twentieth job fails at
// its first attempt. A lost connection is replaced as soon as the server lets it. Ends by SIGTERM
// or after the time; exit code 1 if nothing was acknowledged.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include <pqxx/pqxx>

#include "chaos/history.hpp"

namespace {

using namespace outbox::chaos;
using Clock = std::chrono::steady_clock;

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

struct Settings {
  std::string url;
  std::string history;
  double rate{500};
  int producers{4};
  double seconds{3'600};
  unsigned seed{1};
  std::vector<std::string> kinds{"direct", "claimed", "cpp", "outside"};
};

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in{text};
  for (std::string word; std::getline(in, word, ',');) out.push_back(word);
  return out;
}

Settings read_settings(int argc, char** argv) {
  Settings out;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name{argv[i]};
    const std::string value{argv[i + 1]};
    if (name == "--history") {
      out.history = value;
    } else if (name == "--rate") {
      out.rate = std::stod(value);
    } else if (name == "--producers") {
      out.producers = std::stoi(value);
    } else if (name == "--seconds") {
      out.seconds = std::stod(value);
    } else if (name == "--seed") {
      out.seed = static_cast<unsigned>(std::stoul(value));
    } else if (name == "--kinds") {
      out.kinds = words(value);
    } else {
      throw std::invalid_argument{"unknown option " + name};
    }
  }
  const char* url = std::getenv("CHAOS_URL");
  if (url == nullptr || out.history.empty())
    throw std::invalid_argument{"expected --history FILE, and CHAOS_URL in the environment"};
  out.url = url;
  return out;
}

/// Shared by the producers.
class Notebook {
 public:
  explicit Notebook(const std::string& file) : out_{file, std::ios::app} {}
  void note(const Transaction& transaction) {
    const std::lock_guard lock{mutex_};
    out_ << to_line(transaction) << std::flush;
    if (transaction.outcome == Outcome::ok) acknowledged_ += transaction.count;
  }
  [[nodiscard]] std::int64_t acknowledged() const { return acknowledged_; }

 private:
  std::mutex mutex_;
  std::ofstream out_;
  std::int64_t acknowledged_{0};
};

class Producer {
 public:
  Producer(const Settings& settings, int number, Notebook& notebook)
      : settings_{settings},
        number_{number},
        notebook_{notebook},
        random_{settings.seed * 1'000U + static_cast<unsigned>(number)} {}

  void run(Clock::time_point end) {
    // Each transaction has 2.5 jobs on average.
    const double mean = 2.5 * settings_.producers / settings_.rate;
    auto next = Clock::now();
    while (!stop && next < end) {
      std::this_thread::sleep_until(next);
      place();
      next += std::chrono::duration_cast<Clock::duration>(
          std::chrono::duration<double>(std::exponential_distribution<double>{1 / mean}(random_)));
      // What an outage held back is not made up for all at once.
      next = std::max(next, Clock::now() - std::chrono::seconds{1});
    }
  }

 private:
  int any(int most) { return std::uniform_int_distribution<int>{0, most - 1}(random_); }

  /// The whole transaction in one message: its reply is that of the COMMIT.
  std::string statement(int count) {
    std::string seqs;
    std::string kinds;
    std::string payloads;
    for (int i = 0; i < count; ++i) {
      const auto seq = std::to_string(seq_ + i);
      const char* comma = i == 0 ? "" : ",";
      seqs += comma + seq;
      kinds += comma + settings_.kinds.at(
                           static_cast<std::size_t>(any(static_cast<int>(settings_.kinds.size()))));
      payloads += std::string{comma} + R"("{\"p\":)" + std::to_string(number_) + R"(,\"s\":)" +
                  seq + R"(,\"fail\":)" + (any(20) == 0 ? "1" : "0") + R"(}")";
    }
    return "BEGIN; SELECT chaos.place(" + std::to_string(number_) + ", '{" + seqs + "}', '{" +
           kinds + "}', '{" + payloads + "}'); ";
  }

  void place() {
    if (!connect()) return;
    const int count = 1 + any(4);
    const bool undo = any(10) == 0;
    Transaction transaction{{number_, seq_}, count, undo ? Outcome::undone : Outcome::ok};
    const auto sql = statement(count) + (undo ? "ROLLBACK" : "COMMIT");
    seq_ += count;
    try {
      pqxx::nontransaction tx{*connection_};
      tx.exec(sql);
    } catch (const pqxx::broken_connection&) {
      transaction.outcome = undo ? Outcome::undone : Outcome::unknown;
      connection_.reset();
    } catch (const pqxx::sql_error& e) {
      transaction.outcome = undo || !in_doubt(e.sqlstate()) ? Outcome::undone : Outcome::unknown;
      connection_.reset();
    }
    notebook_.note(transaction);
  }

  /// The server said that it failed; but one that goes down, for a full disk too, may say so after
  /// the commit.
  static bool in_doubt(const std::string& sqlstate) {
    return sqlstate.rfind("57P", 0) == 0 || sqlstate == "53100" || sqlstate == "58030";
  }

  bool connect() {
    if (connection_) return true;
    try {
      connection_ = std::make_unique<pqxx::connection>(settings_.url);
#if PQXX_VERSION_MAJOR < 7
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
      connection_->inhibit_reactivation(true);
#pragma GCC diagnostic pop
#endif
      return true;
    } catch (const pqxx::failure&) {
      connection_.reset();
      std::this_thread::sleep_for(std::chrono::milliseconds{20 + any(60)});
      return false;
    }
  }

  const Settings& settings_;
  const int number_;
  Notebook& notebook_;
  std::mt19937 random_;
  std::unique_ptr<pqxx::connection> connection_;
  std::int64_t seq_{1};
};

int produce(const Settings& settings) {
  std::signal(SIGTERM, [](int) { stop = true; });
  std::signal(SIGPIPE, SIG_IGN);
  Notebook notebook{settings.history};
  {
    // What libpqxx sets up at its first use it sets up before there are threads.
    pqxx::connection first{settings.url};
    pqxx::nontransaction{first}.exec("SELECT 1");
  }
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(settings.seconds));
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i <= settings.producers; ++i) {
      threads.emplace_back([&settings, &notebook, i, end] {
        Producer{settings, i, notebook}.run(end);
      });
    }
  }
  std::cout << notebook.acknowledged() << " jobs acknowledged\n";
  return notebook.acknowledged() > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return produce(read_settings(argc, argv));
  } catch (const std::exception& e) {
    std::cerr << "chaos_load: " << e.what() << '\n';
    return 2;
  }
}
