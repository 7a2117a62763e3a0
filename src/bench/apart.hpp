// A process of its own beside the benchmark, so that what it uses is not counted as ours.
#pragma once

#include <functional>
#include <new>
#include <sys/mman.h>
#include <sys/types.h>

#include "core/error.hpp"

namespace outbox::bench {

/// A value that both processes see. T: trivial or atomics; starts as T{}.
template <class T>
class Shared {
 public:
  Shared()
      : memory_{
            ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)} {
    if (memory_ == MAP_FAILED) throw std::bad_alloc{};
    new (memory_) T{};
  }
  ~Shared() { ::munmap(memory_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  T* operator->() const { return static_cast<T*>(memory_); }
  T& operator*() const { return *static_cast<T*>(memory_); }

 private:
  void* memory_;
};

/// Thread contract: made and destroyed on the main thread while there is no other.
class Apart {
 public:
  /// Runs `body` in a child that dies with this process, with nothing open but 0 to 2 and `keep`
  /// (-1: nothing), which becomes 3. Throws core::Error (failed) when there can be none.
  Apart(int keep, const std::function<void()>& body);
  ~Apart();  ///< Ends it with SIGKILL if it still runs.
  Apart(const Apart&) = delete;
  Apart& operator=(const Apart&) = delete;

  /// Waits until `body` has returned. Throws core::Error (failed) when it threw or was killed.
  void wait();
  /// CPU seconds that it has used so far.
  [[nodiscard]] double cpu_seconds() const;

 private:
  pid_t pid_;
};

}  // namespace outbox::bench
