// SQL that makes an object again as the migrations made it, taken from their embedded texts. Pure.
#pragma once

#include <string>
#include <utility>

namespace outbox::store::doctor {

/// The statements that make a function or view of that name ("outbox.enqueue"), all that bear it,
/// as CREATE OR REPLACE, from the newest migration up to `version` that has any; empty when none
/// has.
[[nodiscard]] std::string creating_sql(const std::string& kind, const std::string& name,
                                       int version);

/// The COMMENT statement for an object as pg_identify_object() names it ("index outbox.jobs_pkey");
/// empty when there is none.
[[nodiscard]] std::string comment_sql(const std::string& object, int version);

/// SQL that brings back the object of a catalog line, comments left out; empty when only a person
/// can.
[[nodiscard]] std::string making_sql(const std::string& kind, const std::string& identity,
                                     const std::string& definition, int version);

/// SQL that takes away an object that no migration made, without losing rows; empty when only a
/// person can.
[[nodiscard]] std::string removing_sql(const std::string& kind, const std::string& identity);

/// "outbox.jobs" and "jobs_inserted" of "outbox.jobs.jobs_inserted".
[[nodiscard]] std::pair<std::string, std::string> table_and_part(const std::string& identity);

}  // namespace outbox::store::doctor
