// The program's exit codes: stable, documented in the README, tested.
#pragma once

namespace outbox::core {

enum class ExitCode {
  ok = 0,
  failed = 1,   ///< It failed, and nothing was changed; the message says whether a retry helps.
  usage = 2,    ///< The command line is wrong.
  pending = 3,  ///< Migrations are pending, or the schema is older than the program needs: migrate
                ///< up, then retry.
  drift = 4,    ///< What was compared differs: a checksum, the schema's objects, a rehearsal, a
                ///< doctor's finding. Retrying does not help.
  busy = 5,     ///< A lock was busy for too long; retry later.
  refused = 6,  ///< Refused: data would be lost or jobs are in a state that forbids it.
  live_processors = 7,  ///< Refused: processors are alive that could not live with the result; stop
                        ///< or roll them first.
  schema_newer =
      8,           ///< The schema is newer and breaking: do not restart; deploy the newer program.
  not_found = 66,  ///< The job or queue named does not exist.
  unavailable = 69,    ///< The database cannot be reached; retry later.
  internal = 70,       ///< A bug in outboxd; please report it.
  configuration = 78,  ///< The configuration is wrong: nothing to retry before it is mended.
};

[[nodiscard]] constexpr int to_int(ExitCode code) { return static_cast<int>(code); }

}  // namespace outbox::core
