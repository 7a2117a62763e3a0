// Enqueues jobs one by one at random moments around the processor's falling asleep, and writes down
// when each COMMIT was acknowledged.
//
//   chaos_wake --count N --seed N URL…
//
// Two producers for each database; every tenth transaction stays open for up to 40 ms after its
// INSERT. What was sent ends up in the table chaos.sent of its database.
#include <chrono>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <pqxx/pqxx>

namespace {

constexpr int kProducers = 2;

struct Sent {
  std::string job;
  std::int64_t at_us{};
};

class Producer {
 public:
  Producer(const std::string& url, unsigned seed, int count)
      : connection_{url}, random_{seed}, count_{count} {}

  void run() {
    for (int i = 0; i < count_; ++i) {
      // The processor stays awake for 10 ms after its last job: before, while and after it dozes.
      wait(std::uniform_int_distribution<int>{0, 40'000}(random_));
      place(i % 10 == 0);
    }
    write_down();
  }

 private:
  static void wait(int microseconds) {
    std::this_thread::sleep_for(std::chrono::microseconds{microseconds});
  }

  void place(bool slowly) {
    pqxx::work tx{connection_};
    const auto job = tx.exec(
        "INSERT INTO outbox.jobs (kind, payload) VALUES ('direct', '{\"p\":0,\"s\":0}') "
        "RETURNING id");
    if (slowly) wait(std::uniform_int_distribution<int>{0, 40'000}(random_));
    tx.commit();
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    sent_.push_back(
        {job[0][0].c_str(), std::chrono::duration_cast<std::chrono::microseconds>(now).count()});
  }

  void write_down() {
    pqxx::work tx{connection_};
    for (const auto& sent : sent_) {
      tx.exec("INSERT INTO chaos.sent VALUES (" + sent.job + ", 'epoch'::timestamptz + " +
              std::to_string(sent.at_us) + " * interval '1 microsecond')");
    }
    tx.commit();
  }

  pqxx::connection connection_;
  std::mt19937 random_;
  const int count_;
  std::vector<Sent> sent_;
};

void produce(const std::vector<std::string>& urls, unsigned seed, int count) {
  const int each = count / (static_cast<int>(urls.size()) * kProducers) + 1;
  std::vector<std::jthread> threads;
  for (const auto& url : urls) {
    for (int i = 0; i < kProducers; ++i)
      threads.emplace_back([&url, each, seed = ++seed] { Producer{url, seed, each}.run(); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<std::string> urls;
    int count = 0;
    unsigned seed = 1;
    for (int i = 1; i < argc; ++i) {
      const std::string argument{argv[i]};
      if (argument == "--count" && i + 1 < argc) {
        count = std::stoi(argv[++i]);
      } else if (argument == "--seed" && i + 1 < argc) {
        seed = static_cast<unsigned>(std::stoul(argv[++i]));
      } else {
        urls.push_back(argument);
      }
    }
    if (count <= 0 || urls.empty()) throw std::invalid_argument{"expected --count N URL…"};
    produce(urls, seed, count);
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "chaos_wake: " << e.what() << '\n';
    return 2;
  }
}
