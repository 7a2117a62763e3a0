// SQL of the schema's objects, and comparing them.
#include "store/catalog.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "pg/session.hpp"
#include "store/ledger.hpp"
#include "store/migration_files.hpp"

namespace outbox::store {

namespace {

// With pg_catalog alone in the search path, every other name is written with its schema.
constexpr pg::Statement kPath{"catalog_path",
                              "SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)"};

// Index: those of the catalogs, by schema or relation; a few hundred rows. No locks but those of
// reading the catalogs. Form: long texts (bodies, comments) as MD5, which only tells changes. What
// versions of PostgreSQL spell differently is left out: names of NOT NULL constraints (18), the
// default of a statistics target (17), what stands before a column in a view of one table (16). A
// partition has the columns of its parent.
constexpr pg::Statement kCatalog{"catalog", R"(/* outbox:catalog */
WITH rel AS (
  SELECT c.*, format('%s.%s', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'outbox'),
lines AS (
  SELECT CASE WHEN relkind = 'v' THEN 'view ' ELSE 'table ' END || name || ': '
         || concat_ws(', ', CASE relkind WHEN 'r' THEN 'ordinary' WHEN 'p' THEN 'partitioned by ' || pg_get_partkeydef(oid)
                              WHEN 'v' THEN 'body ' || md5(regexp_replace(pg_get_viewdef(oid), '\m\w+\.|\s+', '', 'g'))
                              WHEN 'm' THEN 'materialized' ELSE 'kind ' || relkind::text END,
              CASE WHEN relpersistence <> 'p' THEN 'persistence ' || relpersistence::text END,
              CASE WHEN relispartition THEN 'partition of ' || (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = oid)
                                            || ' ' || pg_get_expr(relpartbound, oid) END,
              CASE WHEN relrowsecurity THEN 'row security' END,
              CASE WHEN relkind IN ('r', 'p') AND relreplident <> 'd' THEN 'replica identity ' || relreplident::text END) AS line
    FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION ALL
  SELECT 'storage ' || r.name || ': ' || string_agg(o.option, ', ' ORDER BY o.option)
    FROM rel r LEFT JOIN pg_class t ON t.oid = r.reltoastrelid,
         LATERAL (SELECT unnest(r.reloptions) AS option UNION ALL SELECT 'toast.' || unnest(t.reloptions)) o
   WHERE r.relkind IN ('r', 'p', 'v', 'm') GROUP BY r.name
  UNION ALL
  SELECT 'column ' || r.name || '.' || a.attname || ': '
         || concat_ws(' ', row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
              CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || (SELECT collname FROM pg_collation WHERE oid = a.attcollation) END,
              CASE WHEN a.attnotnull THEN 'not null' END,
              CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
              CASE WHEN a.attgenerated <> '' THEN 'generated' END, 'default ' || pg_get_expr(d.adbin, d.adrelid),
              CASE WHEN a.attstorage <> t.typstorage AND r.relkind <> 'v' THEN 'storage ' || a.attstorage::text END,
              CASE WHEN a.attcompression <> '' THEN 'compression ' || a.attcompression::text END,
              CASE WHEN a.attstattarget >= 0 THEN 'statistics ' || a.attstattarget END)
    FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT r.relispartition
  UNION ALL
  SELECT 'constraint ' || r.name || '.' || c.conname || ': ' || pg_get_constraintdef(c.oid)
    FROM rel r JOIN pg_constraint c ON c.conrelid = r.oid WHERE c.contype <> 'n' AND NOT r.relispartition
  UNION ALL
  SELECT 'index ' || r.name || ': ' || pg_get_indexdef(r.oid) || CASE WHEN NOT i.indisvalid THEN ' INVALID' ELSE '' END
    FROM rel r JOIN pg_index i ON i.indexrelid = r.oid
  UNION ALL
  SELECT 'sequence ' || r.name || ': ' || concat_ws(' ', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement,
              'from', s.seqmin, 'to', s.seqmax, 'cache', s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END)
    FROM rel r JOIN pg_sequence s ON s.seqrelid = r.oid
  UNION ALL
  SELECT 'trigger ' || r.name || '.' || t.tgname || ': ' || pg_get_triggerdef(t.oid)
         || CASE t.tgenabled WHEN 'O' THEN '' WHEN 'D' THEN ' DISABLED' ELSE ' enabled ' || t.tgenabled::text END
    FROM rel r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
  UNION ALL
  SELECT 'rule ' || r.name || '.' || w.rulename || ': ' || pg_get_ruledef(w.oid)
    FROM rel r JOIN pg_rewrite w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'
  UNION ALL
  SELECT 'policy ' || r.name || '.' || p.polname || ': ' || concat_ws(' ', p.polcmd, pg_get_expr(p.polqual, r.oid), pg_get_expr(p.polwithcheck, r.oid))
    FROM rel r JOIN pg_policy p ON p.polrelid = r.oid
  UNION ALL
  SELECT format('%s outbox.%s(%s): ', CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, p.proname,
                pg_get_function_identity_arguments(p.oid))
         || concat_ws(', ', 'arguments ' || md5(pg_get_function_arguments(p.oid)), 'returns ' || pg_get_function_result(p.oid),
              (SELECT lanname FROM pg_language WHERE oid = p.prolang), 'volatility ' || p.provolatile::text, 'parallel ' || p.proparallel::text,
              CASE WHEN p.proisstrict THEN 'strict' END, CASE WHEN p.prosecdef THEN 'security definer' END,
              'set ' || array_to_string(p.proconfig, ' and '), 'body ' || md5(p.prosrc))
    FROM pg_proc p WHERE p.pronamespace = to_regnamespace('outbox')
  UNION ALL
  SELECT 'type outbox.' || t.typname || ': ' || concat_ws(' ', t.typtype, (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)
              FROM pg_enum e WHERE e.enumtypid = t.oid), CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END)
    FROM pg_type t WHERE t.typnamespace = to_regnamespace('outbox') AND t.typtype IN ('d', 'e', 'r')
  UNION ALL
  SELECT 'statistics outbox.' || s.stxname || ': ' || pg_get_statisticsobjdef(s.oid)
    FROM pg_statistic_ext s WHERE s.stxnamespace = to_regnamespace('outbox')
  UNION ALL
  SELECT format('comment %s %s: %s', o.type, o.identity, md5(d.description))
    FROM pg_description d, LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o
   WHERE d.classoid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_trigger'::regclass, 'pg_constraint'::regclass, 'pg_namespace'::regclass)
     AND (o.schema = 'outbox' OR o.type IN ('trigger', 'table constraint') AND o.identity LIKE '%outbox.%' OR o.type = 'schema' AND o.identity = 'outbox'))
SELECT l.line FROM (SELECT regexp_replace(line, '\s+', ' ', 'g') AS line FROM lines) l ORDER BY l.line COLLATE "C")"};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> without(const std::vector<std::string>& lines,
                                 const std::vector<std::string>& others) {
  std::vector<std::string> out;
  std::set_difference(lines.begin(), lines.end(), others.begin(), others.end(),
                      std::back_inserter(out));
  return out;
}

}  // namespace

std::vector<std::string> catalog(Database& database) {
  pg::Session& session = database.session();
  const auto rows = session.transact([&](pqxx::transaction_base& tx) {
    session.call(tx, kPath);
    return session.call(tx, kCatalog);
  });
  std::vector<std::string> lines;
  lines.reserve(pg::count(rows));
  for (const auto& row : rows) lines.push_back(pg::text(row[0]));
  return lines;
}

std::optional<std::vector<std::string>> expected_catalog(Database& database, int version) {
  std::vector<std::string> lines;
  for (const auto& row : read_ledger(database.session())) {
    if (row.version > version) break;
    const auto* known = find_migration(row.version);
    const std::string file = known != nullptr ? std::string{known->catalog} : row.catalog;
    if (file.empty()) return std::nullopt;
    lines = changed_by(std::move(lines), file);
  }
  return lines;
}

CatalogDrift compare(const std::vector<std::string>& expected,
                     const std::vector<std::string>& found) {
  return {.missing = without(expected, found),
          .unexpected = without(found, expected),
          .unknown_why = {}};
}

CatalogDrift catalog_drift(Database& database) {
  const auto ledger = read_ledger(database.session());
  if (ledger.empty()) return {.missing = {}, .unexpected = {}, .unknown_why = "no schema outbox"};
  const int version = ledger.back().version;
  const auto expected = expected_catalog(database, version);
  if (!expected) {
    return {.missing = {},
            .unexpected = {},
            .unknown_why = "neither this program nor the ledger knows what version " +
                           std::to_string(version) + " consists of"};
  }
  return compare(*expected, catalog(database));
}

std::vector<std::string> changed_by(std::vector<std::string> before,
                                    const std::string& catalog_file) {
  std::vector<std::string> added;
  std::vector<std::string> removed;
  for (const auto& line : lines_of(catalog_file)) {
    if (line.starts_with("+ ")) added.push_back(line.substr(2));
    if (line.starts_with("- ")) removed.push_back(line.substr(2));
  }
  std::sort(removed.begin(), removed.end());
  before = without(before, removed);
  before.insert(before.end(), added.begin(), added.end());
  std::sort(before.begin(), before.end());
  return before;
}

std::string catalog_file(const std::vector<std::string>& before,
                         const std::vector<std::string>& after) {
  std::string text;
  for (const auto& line : without(before, after)) text += "- " + line + '\n';
  for (const auto& line : without(after, before)) text += "+ " + line + '\n';
  return text;
}

}  // namespace outbox::store
