// One thread serves descriptors, timers and what others post; nothing is called after it was
// forgotten.
#include "handlers/loop.hpp"

#include <fcntl.h>
#include <numeric>
#include <string>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

namespace loop_test {

using namespace std::chrono_literals;
using outbox::handlers::Loop;

struct Pipe {
  Pipe() { BOOST_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0); }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void write(const std::string& text) const {
    BOOST_REQUIRE_EQUAL(::write(ends[1], text.data(), text.size()), text.size());
  }
  [[nodiscard]] std::string read() const {
    std::string text(100, ' ');
    const auto count = ::read(ends[0], text.data(), text.size());
    return count < 0 ? "nothing" : text.substr(0, static_cast<std::size_t>(count));
  }
  int ends[2]{};
};

}  // namespace loop_test

BOOST_AUTO_TEST_SUITE(loop_test)

BOOST_AUTO_TEST_CASE(a_watcher_is_called_while_there_is_something_to_read) {
  Loop loop;
  const Pipe pipe;
  int calls = 0;
  loop.watch(pipe.ends[0], EPOLLIN, [&](std::uint32_t events) {
    BOOST_TEST((events & EPOLLIN) != 0U);
    if (++calls == 3) loop.stop();  // not read: it stays readable
  });
  pipe.write("x");
  loop.run();
  BOOST_TEST(calls == 3);
}

BOOST_AUTO_TEST_CASE(modify_says_what_is_watched_for) {
  Loop loop;
  const Pipe pipe;
  std::string seen;
  loop.watch(pipe.ends[1], 0, [&](std::uint32_t events) {
    seen += (events & EPOLLOUT) != 0U ? "writable " : "? ";
    loop.modify(pipe.ends[1], 0);
    loop.at(Loop::Clock::now() + 20ms, [&] { loop.stop(); });
  });
  loop.at(Loop::Clock::now() + 5ms, [&] {
    seen += "later ";
    loop.modify(pipe.ends[1], EPOLLOUT);
  });
  loop.run();
  BOOST_TEST(seen == "later writable ");
  BOOST_CHECK_THROW(loop.modify(pipe.ends[0], EPOLLIN), std::system_error);
}

BOOST_AUTO_TEST_CASE(what_is_forgotten_is_not_called_even_when_it_is_due) {
  Loop loop;
  const Pipe one;
  const Pipe two;
  int calls = 0;
  const auto forget_both = [&](std::uint32_t) {
    ++calls;
    loop.forget(one.ends[0]);
    loop.forget(two.ends[0]);
    loop.forget(two.ends[0]);  // harmless
    loop.at(Loop::Clock::now() + 20ms, [&] { loop.stop(); });
  };
  loop.watch(one.ends[0], EPOLLIN, forget_both);
  loop.watch(two.ends[0], EPOLLIN, forget_both);
  one.write("x");
  two.write("x");
  loop.run();
  BOOST_TEST(calls == 1);
}

// The second descriptor of a pair is closed by the first one's watcher, and its number is used
// again before the event that was due for it is looked at.
BOOST_AUTO_TEST_CASE(an_event_of_a_closed_descriptor_does_not_reach_its_successor) {
  Loop loop;
  const Pipe ready[2];
  const Pipe quiet;
  bool swapped = false;
  bool wrong = false;
  const auto swap = [&](int other) {
    return [&, other](std::uint32_t) {
      if (swapped) return;
      swapped = true;
      loop.forget(other);
      BOOST_REQUIRE_EQUAL(::dup3(quiet.ends[0], other, O_CLOEXEC), other);
      loop.watch(other, EPOLLIN, [&](std::uint32_t) { wrong = true; });
      loop.at(Loop::Clock::now() + 20ms, [&] { loop.stop(); });
    };
  };
  loop.watch(ready[0].ends[0], EPOLLIN, swap(ready[1].ends[0]));
  loop.watch(ready[1].ends[0], EPOLLIN, swap(ready[0].ends[0]));
  ready[0].write("x");
  ready[1].write("x");
  loop.run();
  BOOST_TEST(swapped);
  BOOST_TEST(!wrong);
}

// A library that closes its own sockets may not tell.
BOOST_AUTO_TEST_CASE(a_descriptor_can_be_watched_again_whether_it_was_closed_or_not) {
  Loop loop;
  const Pipe pipe;
  std::string seen;
  loop.watch(pipe.ends[0], EPOLLIN, [&](std::uint32_t) { seen += "first "; });
  loop.watch(pipe.ends[0], EPOLLIN, [&](std::uint32_t) { seen += "second "; });
  const Pipe other;
  BOOST_REQUIRE_EQUAL(::dup3(other.ends[0], pipe.ends[0], O_CLOEXEC), pipe.ends[0]);
  loop.watch(pipe.ends[0], EPOLLIN, [&](std::uint32_t) {
    seen += "third ";
    loop.stop();
  });
  other.write("x");
  loop.run();
  BOOST_TEST(seen == "third ");
}

BOOST_AUTO_TEST_CASE(timers_run_in_order_and_not_before_their_time) {
  Loop loop;
  const auto start = Loop::Clock::now();
  std::string order;
  loop.at(start + 30ms, [&] {
    BOOST_TEST((Loop::Clock::now() >= start + 30ms));
    order += "30 ";
    loop.stop();
  });
  loop.at(start + 10ms, [&] { order += "10 "; });
  loop.at(start + 10ms, [&] { order += "10b "; });
  loop.at(start - 1h, [&] { order += "past "; });
  const auto cancelled = loop.at(start + 5ms, [&] { order += "cancelled "; });
  loop.cancel(cancelled);
  loop.cancel(cancelled);
  loop.cancel({});
  loop.run();
  BOOST_TEST(order == "past 10 10b 30 ");
}

BOOST_AUTO_TEST_CASE(a_timer_may_cancel_one_that_is_due_as_well) {
  Loop loop;
  const auto now = Loop::Clock::now();
  bool ran = false;
  Loop::TimerId second;
  loop.at(now, [&] {
    loop.cancel(second);
    loop.at(now + 10ms, [&] { loop.stop(); });
  });
  second = loop.at(now, [&] { ran = true; });
  loop.run();
  BOOST_TEST(!ran);
}

BOOST_AUTO_TEST_CASE(a_timer_that_is_always_due_does_not_keep_out_the_rest) {
  Loop loop;
  const Pipe pipe;
  std::function<void()> again = [&] { loop.at(Loop::Clock::now() - 1s, again); };
  again();
  loop.watch(pipe.ends[0], EPOLLIN, [&](std::uint32_t) { loop.stop(); });
  pipe.write("x");
  loop.run();
}

BOOST_AUTO_TEST_CASE(what_many_threads_post_runs_on_the_loops_thread_in_their_order) {
  Loop loop;
  constexpr int kThreads = 4;
  constexpr int kEach = 1'000;
  std::vector<std::vector<int>> seen(kThreads);
  int outside = 0;
  BOOST_TEST(!loop.inside());
  std::thread server{[&] { loop.run(); }};
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          loop.post([&, t, i] {
            if (!loop.inside()) ++outside;
            seen[t].push_back(i);
          });
        }
      });
    }
  }
  loop.stop();  // everything was posted before it
  server.join();
  std::vector<int> expected(kEach);
  std::iota(expected.begin(), expected.end(), 0);
  BOOST_TEST(outside == 0);
  for (const auto& one : seen) BOOST_TEST(one == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_watcher_hears_that_the_other_side_is_gone) {
  Loop loop;
  int ends[2];
  BOOST_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  std::uint32_t seen = 0;
  loop.watch(ends[0], 0, [&](std::uint32_t events) {
    seen = events;
    loop.stop();
  });
  ::close(ends[1]);
  loop.run();
  BOOST_TEST((seen & EPOLLHUP) != 0U);
  ::close(ends[0]);
}

BOOST_AUTO_TEST_CASE(a_write_to_a_pipe_without_a_reader_is_only_an_error) {
  Loop loop;
  std::thread server{[&] { loop.run(); }};
  int error = 0;
  loop.post([&] {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    ::close(ends[0]);
    error = ::write(ends[1], "x", 1) < 0 ? errno : 0;
    ::close(ends[1]);
  });
  loop.stop();
  server.join();
  BOOST_TEST(error == EPIPE);
}

BOOST_AUTO_TEST_SUITE_END()
