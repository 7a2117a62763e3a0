// The doctor on objects that are there and do not work: indexes, constraints, triggers.
#include "store/doctor_check.hpp"

namespace outbox::store::doctor {

namespace {

// Catalogs only. What REINDEX CONCURRENTLY leaves behind when it fails ends in _ccnew or _ccold.
constexpr pg::Statement kInvalid{"doctor_invalid", R"(/* outbox:doctor_invalid */
SELECT format('outbox.%I', c.relname), i.indrelid::regclass,
       format(CASE WHEN c.relname ~ '_cc(new|old)[0-9]*$' THEN 'DROP INDEX CONCURRENTLY outbox.%I;'
                   ELSE 'REINDEX INDEX CONCURRENTLY outbox.%I;' END, c.relname)
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
 WHERE c.relnamespace = to_regnamespace('outbox') AND NOT (i.indisvalid AND i.indisready AND i.indislive)
 ORDER BY 1)"};

constexpr pg::Statement kNotValidated{"doctor_not_validated", R"(/* outbox:doctor_not_validated */
SELECT c.conname, c.conrelid::regclass, format('ALTER TABLE %s VALIDATE CONSTRAINT %I;', c.conrelid::regclass, c.conname)
  FROM pg_constraint c
 WHERE c.connamespace = to_regnamespace('outbox') AND NOT c.convalidated
 ORDER BY 2, 1)"};

constexpr pg::Statement kTriggers{"doctor_triggers", R"(/* outbox:doctor_triggers */
SELECT t.tgname, t.tgrelid::regclass, t.tgname = 'jobs_inserted', format('ALTER TABLE %s ENABLE TRIGGER %I;', t.tgrelid::regclass, t.tgname)
  FROM pg_trigger t
  JOIN pg_class c ON c.oid = t.tgrelid
 WHERE c.relnamespace = to_regnamespace('outbox') AND NOT t.tgisinternal AND t.tgenabled IN ('D', 'R')
 ORDER BY 2, 1)"};

}  // namespace

Findings check_indexes(Checkup& checkup) {
  Findings out;
  for (const auto& row : ask(checkup.database, kInvalid)) {
    out.push_back(
        problem("indexes", "index " + pg::text(row[0]) + " on " + pg::text(row[1]) + " is invalid",
                "it is not used for reading, a unique one does not guard, and every write "
                "still pays for it",
                pg::text(row[2])));
  }
  return or_ok(std::move(out), "indexes", "every index is valid");
}

Findings check_constraints(Checkup& checkup) {
  Findings out;
  for (const auto& row : ask(checkup.database, kNotValidated)) {
    out.push_back(
        warning("constraints",
                "constraint " + pg::text(row[0]) + " on " + pg::text(row[1]) + " is not validated",
                "rows that were there before it may break it, and fail when they are "
                "updated",
                pg::text(row[2])));
  }
  return or_ok(std::move(out), "constraints", "every constraint is validated");
}

Findings check_triggers(Checkup& checkup) {
  Findings out;
  for (const auto& row : ask(checkup.database, kTriggers)) {
    const auto what = "trigger " + pg::text(row[0]) + " on " + pg::text(row[1]) + " is disabled";
    if (row[2].as<bool>()) {
      out.push_back(warning("triggers", what,
                            "sleeping processors are not woken: jobs are found by polling, up to a "
                            "poll interval late",
                            pg::text(row[3])));
    } else {
      out.push_back(
          problem("triggers", what, "what it checks or records is let through", pg::text(row[3])));
    }
  }
  return or_ok(std::move(out), "triggers", "every trigger is enabled");
}

}  // namespace outbox::store::doctor
