// Starting and stopping the threads of one queue.
#include "engine/queue.hpp"

#include <pthread.h>

namespace outbox::engine {

namespace {

void name_thread(const std::string& name) {
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace

Queue::Queue(Services& services, const std::string& name, const core::QueueOptions& options)
    : options_{options},
      plan_{name, services.handlers, services.events},
      slots_{options.concurrency},
      dispatcher_lane_{services.waker.add_lane()},
      dispatcher_{services,         name,
                  options,          plan_,
                  tasks_,           inbox_,
                  dispatcher_lane_, [this](TaskPtr task) { finisher_.push(std::move(task)); }},
      finisher_{services, options_, inbox_, dispatcher_lane_, plan_} {
  for (int i = 0; i < options.concurrency; ++i) {
    runners_.push_back(std::make_unique<Runner>(services, options_, tasks_, inbox_,
                                                dispatcher_lane_, slots_, plan_, finisher_));
  }
  for (int i = 0; i < options.direct_workers; ++i) {
    const auto role = i == 0 ? DirectWorker::Role::first : DirectWorker::Role::helper;
    direct_workers_.push_back(std::make_unique<DirectWorker>(
        services, name, options_, plan_, slots_, services.waker.add_lane(), role));
  }
}

Queue::~Queue() = default;

void Queue::start() {
  finisher_thread_ = std::jthread{[this](const std::stop_token& stop) {
    name_thread("finish");
    finisher_.run(stop);
  }};
  for (auto& runner : runners_) {
    runner_threads_.emplace_back([&runner](const std::stop_token& stop) {
      name_thread("run");
      runner->run(stop);
    });
  }
  for (auto& worker : direct_workers_) {
    direct_threads_.emplace_back([&worker](const std::stop_token& stop) {
      name_thread("direct");
      worker->run(stop);
    });
  }
  dispatcher_thread_ = std::jthread{[this](const std::stop_token& stop) {
    name_thread("claim");
    dispatcher_.run(stop);
  }};
}

void Queue::request_stop(core::Clock::time_point grace_ends) {
  dispatcher_.stop_at(grace_ends);
  dispatcher_thread_.request_stop();
  for (auto& thread : direct_threads_) thread.request_stop();
}

bool Queue::join() {
  for (auto& thread : direct_threads_) thread.join();
  if (dispatcher_thread_.joinable()) dispatcher_thread_.join();  // a start may have failed half-way
  for (auto& thread : runner_threads_) thread.request_stop();
  const bool stuck = dispatcher_.in_flight() > 0;
  for (auto& thread : runner_threads_) {
    if (stuck) {
      thread.detach();
    } else {
      thread.join();
    }
  }
  return !stuck;
}

std::vector<int> Queue::direct_backends() const {
  std::vector<int> pids;
  for (const auto& worker : direct_workers_) {
    if (const int pid = worker->backend_pid(); pid != 0) pids.push_back(pid);
  }
  return pids;
}

int Queue::connections_most() const { return 2 + options_.concurrency + options_.direct_workers; }

}  // namespace outbox::engine
