// Keeps other migrators out for the length of a command, and bounds all that a command waits for.
// One thread.
#pragma once

#include <chrono>
#include <functional>
#include <random>
#include <string>

#include "core/fault.hpp"
#include "pg/session.hpp"

namespace outbox::store {

/// What stands in the way, for saying who holds it.
enum class Held { migrator_lock, tables };

/// One deadline for everything that a command waits for.
class Patience {
 public:
  /// `tell`, if given, is told once for each thing that is waited for.
  Patience(pg::Session& session, std::chrono::milliseconds limit,
           std::function<void(const std::string&)> tell);

  /// Sleeps about `around` and returns; throws core::Error `busy`, naming who holds it, when the
  /// deadline has passed.
  void wait(const std::string& what, Held held, std::chrono::milliseconds around);

  /// Runs `body` until no lock is in its way. Other errors pass.
  template <class Body>
  void run(const std::string& what, Body&& body) {
    for (;;) {
      try {
        body();
        return;
      } catch (const core::DbError& e) {
        if (e.fault() != core::Fault::busy && e.fault() != core::Fault::conflict) throw;
      }
      wait(what + " needs a lock", Held::tables, std::chrono::milliseconds{500});
    }
  }

 private:
  pg::Session& session_;
  const std::chrono::milliseconds limit_;
  const std::chrono::steady_clock::time_point deadline_;
  const std::function<void(const std::string&)> tell_;
  std::string told_;
  std::minstd_rand random_;
};

/// Held from construction to destruction, over all steps, so that two migrators do not alternate.
/// While it is held, and after, the session works as the owner of the schema if it may.
class MigrationLock {
 public:
  /// Throws core::Error: `refused` through a transaction pooler, `busy` when patience ends.
  MigrationLock(pg::Session& session, Patience& patience);
  ~MigrationLock();
  MigrationLock(const MigrationLock&) = delete;
  MigrationLock& operator=(const MigrationLock&) = delete;
  MigrationLock(MigrationLock&&) = delete;
  MigrationLock& operator=(MigrationLock&&) = delete;

 private:
  pg::Session& session_;
};

}  // namespace outbox::store
