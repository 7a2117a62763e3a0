// SQL from the embedded migrations, and from lines of the catalog.
#include "store/doctor_mend.hpp"

#include <boost/test/unit_test.hpp>

#include "store/schema_version.hpp"

namespace doctor_mend_test {

using namespace outbox::store;
using namespace outbox::store::doctor;

}  // namespace doctor_mend_test

BOOST_AUTO_TEST_SUITE(doctor_mend_test)

BOOST_AUTO_TEST_CASE(functions_and_views_come_whole_from_their_migration) {
  using namespace doctor_mend_test;
  const auto wake = creating_sql("function", "outbox.wake", schema_built_for());
  BOOST_TEST(wake.starts_with("CREATE OR REPLACE FUNCTION outbox.wake() RETURNS void"));
  BOOST_TEST(wake.ends_with("END $$;"));
  const auto view = creating_sql("view", "outbox.running_jobs", schema_built_for());
  BOOST_TEST(view.starts_with("CREATE OR REPLACE VIEW outbox.running_jobs AS"));
  BOOST_TEST(view.ends_with(";"));
  BOOST_TEST(creating_sql("function", "outbox.wake", 1).empty());  // made by a later migration
  BOOST_TEST(creating_sql("function", "outbox.nothing", schema_built_for()).empty());
}

BOOST_AUTO_TEST_CASE(comments_are_found_however_their_object_is_written) {
  using namespace doctor_mend_test;
  const auto found = [](const char* object) {
    return comment_sql(object, schema_built_for()).substr(0, 11) == "COMMENT ON ";
  };
  BOOST_TEST(found("index outbox.jobs_claim_idx"));
  BOOST_TEST(found("table column outbox.jobs.kind"));
  BOOST_TEST(found("trigger jobs_inserted on outbox.jobs"));
  BOOST_TEST(found("function outbox.refuse(pg_catalog.text,pg_catalog.text)"));
  BOOST_TEST(found("function outbox.day_slot(timestamp with time zone)"));
  BOOST_TEST(!found("table outbox.nothing"));
}

BOOST_AUTO_TEST_CASE(definitions_become_statements) {
  using namespace doctor_mend_test;
  BOOST_TEST(making_sql("index", "outbox.i", "CREATE UNIQUE INDEX i ON outbox.t USING btree (a)",
                        9) == "CREATE UNIQUE INDEX CONCURRENTLY i ON outbox.t USING btree (a);");
  BOOST_TEST(making_sql("index", "outbox.i", "CREATE INDEX i ON ONLY outbox.t USING brin (a)", 9) ==
             "CREATE INDEX i ON outbox.t USING brin (a);");
  BOOST_TEST(making_sql("constraint", "outbox.t.c", "UNIQUE (a)", 9) ==
             "ALTER TABLE outbox.t ADD CONSTRAINT c UNIQUE (a);");
  BOOST_TEST(making_sql("column", "outbox.t.c", "1 text", 9).empty());
  BOOST_TEST(removing_sql("trigger", "outbox.t.g") == "DROP TRIGGER g ON outbox.t;");
  BOOST_TEST(removing_sql("table", "outbox.t") == "ALTER TABLE outbox.t SET SCHEMA public;");
  BOOST_TEST(removing_sql("column", "outbox.t.c").empty());
}

BOOST_AUTO_TEST_SUITE_END()
