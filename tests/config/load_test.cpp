// What a good configuration becomes, and what is read from the environment and from files.
#include "config/load.hpp"

#include <fstream>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "config/format.hpp"
#include "config/print.hpp"
#include "core/redact.hpp"

namespace load_test {

using outbox::config::Environment;
using outbox::config::format_errors;
using outbox::config::load_file;
using outbox::config::load_text;
using outbox::config::Loaded;
using outbox::config::print;
using namespace std::chrono_literals;
namespace core = outbox::core;

Environment environment(std::map<std::string, std::string> variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

core::Options good(const std::string& text, const Environment& variables = environment({})) {
  const Loaded loaded = load_text(text, "c.yaml", variables);
  BOOST_TEST(format_errors(loaded.errors) == "");
  return loaded.options;
}

std::string errors_of(const std::string& text, const Environment& variables = environment({})) {
  return format_errors(load_text(text, "c.yaml", variables).errors);
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = "/tmp/outbox-config-XXXXXX";
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() {
    for (const std::string& file : files_) ::unlink(file.c_str());
    ::rmdir(path_.c_str());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, const std::string& content, mode_t mode) {
    const std::string file = path_ + "/" + name;
    std::ofstream{file, std::ios::binary} << content;
    BOOST_REQUIRE(::chmod(file.c_str(), mode) == 0);
    files_.push_back(file);
    return file;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::vector<std::string> files_;
};

}  // namespace load_test

BOOST_AUTO_TEST_SUITE(load_test)

BOOST_AUTO_TEST_CASE(the_minimal_file_is_five_lines_and_gives_the_defaults) {
  const Loaded loaded = load_file(OUTBOX_SOURCE_DIR "/config/minimal.yaml", environment({}));
  BOOST_TEST(format_errors(loaded.errors) == "");
  core::Options expected;
  expected.database.url = "postgresql:///app";
  expected.queues["default"];
  expected.kinds["post_entry"].sql = core::SqlHandler{"SELECT ledger.post($1)", "", ""};
  BOOST_TEST(print(loaded.options) == print(expected));
  std::ifstream in{OUTBOX_SOURCE_DIR "/config/minimal.yaml"};
  BOOST_TEST(std::count(std::istreambuf_iterator<char>{in}, {}, '\n') == 5);
}

BOOST_AUTO_TEST_CASE(every_setting_reaches_its_field) {
  const core::Options o = good(R"(
database: {url: "host=/tmp dbname=app", connect_timeout: 7s, statement_timeout: 250ms, allow_privileged_role: true}
processor:
  name: "café 1"
  heartbeat: 500ms
  dead_after: 90s
  grace: 0s
  poll: 1m
  max_crashes: 10
  dead_retention: 365d
queues:
  a/b.c:d-e_1: {concurrency: 1, history: false, retention: 30d}
  mail:
    concurrency: 8
    direct_workers: 8
    group_most: 1
  empty:
kinds:
  one:
    sql: |
      SELECT a.b($1,
                 $2)
    role: worker
    lane: claimed
    timeout: 10ms
    backoff: {first: 2s, factor: 1.5, cap: 30d, jitter: 0}
  two:
    function: '"My schema".post'
    lane: direct
  three: {timeout: 1d}
log: {level: trace, format: json}
admin: {listen: "[::1]:0"}
)");
  BOOST_TEST(o.database.url == "host=/tmp dbname=app");
  BOOST_TEST(o.database.connect_timeout.count() == 7'000);
  BOOST_TEST(o.database.statement_timeout.count() == 250);
  BOOST_TEST(o.database.allow_privileged_role);
  BOOST_TEST(o.processor.name == "café 1");
  BOOST_TEST(o.processor.heartbeat.count() == 500);
  BOOST_TEST(o.processor.dead_after.count() == 90'000);
  BOOST_TEST(o.processor.grace.count() == 0);
  BOOST_TEST(o.processor.poll.count() == 60'000);
  BOOST_TEST(o.processor.max_crashes == 10);
  BOOST_TEST(o.processor.dead_retention_days == 365);
  BOOST_REQUIRE(o.queues.size() == 3U);
  const core::QueueOptions& small = o.queues.at("a/b.c:d-e_1");
  BOOST_TEST(small.concurrency == 1);
  BOOST_TEST(small.direct_workers == 1);  // min(2, concurrency)
  BOOST_TEST(!small.history);
  BOOST_TEST(small.retention_days == 30);
  BOOST_TEST(o.queues.at("mail").direct_workers == 8);
  BOOST_TEST(o.queues.at("mail").group_most == 1);
  BOOST_TEST(o.queues.at("empty").direct_workers == 2);
  const core::KindOptions& one = o.kinds.at("one");
  BOOST_TEST(one.sql.value().statement == "SELECT a.b($1,\n           $2)");
  BOOST_TEST(one.sql.value().role == "worker");
  BOOST_TEST((one.lane == core::Lane::claimed));
  BOOST_TEST(one.timeout.count() == 10);
  BOOST_TEST((one.backoff.first == 2s && one.backoff.cap == 720h));
  BOOST_TEST(one.backoff.factor == 1.5);
  BOOST_TEST(one.backoff.jitter == 0.0);
  BOOST_TEST(o.kinds.at("two").sql.value().function == "\"My schema\".post");
  BOOST_TEST((o.kinds.at("two").lane == core::Lane::direct));
  BOOST_TEST(!o.kinds.at("three").sql.has_value());
  BOOST_TEST((o.kinds.at("three").timeout == 24h));
  BOOST_TEST(o.log.level == "trace");
  BOOST_TEST((o.log.format == core::LogFormat::json));
  BOOST_TEST(o.admin.host == "::1");
  BOOST_TEST(o.admin.port.value() == 0);
}

BOOST_AUTO_TEST_CASE(a_byte_order_mark_and_windows_line_ends_do_no_harm) {
  const core::Options o = good(
      "\xEF\xBB\xBF"
      "database:\r\n  url: postgresql:///app\r\n");
  BOOST_TEST(o.database.url == "postgresql:///app");
}

BOOST_AUTO_TEST_CASE(an_empty_section_means_its_defaults) {
  const core::Options o =
      good("database: {url: 'dbname=a'}\nprocessor:\nadmin:\n  # off\nqueues: {}\n");
  BOOST_TEST(o.queues.count("default") == 1U);
  BOOST_TEST(!o.admin.port.has_value());
}

BOOST_AUTO_TEST_CASE(an_empty_file_says_what_the_smallest_configuration_is) {
  for (const std::string text : {"", "# nothing\n", "---\n", "\n\n"}) {
    const std::string errors = errors_of(text);
    BOOST_TEST(holds(errors, "c.yaml:1:1: the file is empty\n"));
    const std::string hint = "the smallest configuration is\n";
    const std::size_t begin = errors.find(hint);
    BOOST_REQUIRE(begin != std::string::npos);
    good(errors.substr(begin + hint.size()));  // and it loads
  }
}

BOOST_AUTO_TEST_CASE(all_errors_are_told_at_once_in_the_order_of_the_file) {
  BOOST_TEST(errors_of("log:\n  level: loud\nprocesor: {}\ndatabase:\n  urll: x\n") ==
             "c.yaml:2:10: log.level: 'loud' is not known, expected trace, debug, info, warn or "
             "error\n"
             "  hint: write one of them\n"
             "c.yaml:3:1: unknown key 'procesor' at the top of the file\n"
             "  hint: did you mean processor?\n"
             "c.yaml:4:1: the database has no url: database.url is missing\n"
             "  hint: write\n"
             "    database:\n"
             "      url: postgresql:///app\n"
             "    or give its source as url_env or url_file\n"
             "c.yaml:5:3: unknown key 'urll' in database\n"
             "  hint: did you mean url?\n");
}

BOOST_AUTO_TEST_CASE(a_million_errors_are_not_all_kept) {
  std::string text;
  for (int i = 0; i < 80'000; ++i) text.append("k").append(std::to_string(i)).append(": 1\n");
  const Loaded loaded = load_text(text, "c.yaml", environment({}));
  BOOST_TEST(loaded.errors.size() <= 101U);
}

BOOST_AUTO_TEST_CASE(a_file_of_two_megabytes_is_refused_by_its_size) {
  Folder folder;
  const std::string file = folder.write("big.yaml", std::string(2'000'000, '['), 0600);
  const Loaded loaded = load_file(file, environment({}));
  BOOST_REQUIRE(loaded.errors.size() == 1U);
  BOOST_TEST(holds(loaded.errors[0].message, "larger than 1 MiB"));
  BOOST_TEST(loaded.errors[0].line == 0);
  std::string largest = "database: {url: 'dbname=a'}\n#";
  largest.resize(1024 * 1024, 'x');
  BOOST_TEST(errors_of(largest) == "");
  BOOST_TEST(holds(errors_of(largest + "x"), "larger than 1 MiB"));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_says_why) {
  Folder folder;
  const Loaded missing = load_file(folder.path() + "/none.yaml", environment({}));
  BOOST_TEST(format_errors(missing.errors).find("none.yaml: cannot open the file: No such file") !=
             std::string::npos);
  const Loaded directory = load_file(folder.path(), environment({}));
  BOOST_REQUIRE(directory.errors.size() == 1U);
  BOOST_TEST(holds(directory.errors[0].message, "cannot"));
}

BOOST_AUTO_TEST_CASE(the_url_may_come_from_the_environment) {
  const Environment variables = environment({{"DB", "postgresql://u:p@h/db"}, {"NONE", ""}});
  BOOST_TEST(good("database: {url_env: DB}\n", variables).database.url == "postgresql://u:p@h/db");
  BOOST_TEST(holds(errors_of("database: {url_env: OTHER}\n", variables),
                   "c.yaml:1:21: database.url_env: the environment variable 'OTHER' is not set"));
  BOOST_TEST(holds(errors_of("database: {url_env: NONE}\n", variables), "'NONE' is empty"));
}

BOOST_AUTO_TEST_CASE(the_password_is_added_to_either_form) {
  const Environment variables = environment({{"PW", "a'b\\c d/%&@:é"}});
  const auto url = [&](const std::string& given) {
    return good("database:\n  url: " + given + "\n  password_env: PW\n", variables).database.url;
  };
  BOOST_TEST(url("postgresql:///app") ==
             "postgresql:///app?password=a%27b%5Cc%20d%2F%25%26%40%3A%C3%A9");
  BOOST_TEST(url("postgres://me@h1:1,h2:2/app?sslmode=require") ==
             "postgres://me@h1:1,h2:2/app?sslmode=require&password="
             "a%27b%5Cc%20d%2F%25%26%40%3A%C3%A9");
  BOOST_TEST(url("host=h dbname=app") == "host=h dbname=app password='a\\'b\\\\c d/%&@:é'");
}

BOOST_AUTO_TEST_CASE(a_secret_file_is_read_beside_the_configuration_without_its_line_break) {
  Folder folder;
  folder.write("password", "s3cret\n", 0600);
  folder.write("url", "postgresql://h/db\r\n", 0640);
  const std::string file = folder.write(
      "c.yaml", "database:\n  url_file: url\n  password_file: " + folder.path() + "/password\n",
      0644);
  const Loaded loaded = load_file(file, environment({}));
  BOOST_TEST(format_errors(loaded.errors) == "");
  BOOST_TEST(loaded.options.database.url == "postgresql://h/db?password=s3cret");
}

BOOST_AUTO_TEST_CASE(a_bad_secret_file_is_refused_without_quoting_it) {
  Folder folder;
  const auto refused = [&](const std::string& content, mode_t mode) {
    folder.write("password", content, mode);
    const std::string errors =
        errors_of("database:\n  url: dbname=a\n  password_file: " + folder.path() + "/password\n");
    BOOST_TEST(holds(errors, "c.yaml:3:18: database.password_file: "));
    BOOST_TEST(!holds(errors, "s3cret"));
    return errors;
  };
  const std::string everybody = refused("s3cret", 0644);
  BOOST_TEST(holds(everybody, "can be read by everybody"));
  BOOST_TEST(holds(everybody, "hint: chmod 600 " + folder.path() + "/password"));
  BOOST_TEST(holds(refused(std::string(65'537, 's'), 0600), "larger than 64 KiB"));
  BOOST_TEST(holds(refused("\n", 0600), "is empty"));
  BOOST_TEST(holds(refused(std::string{"s3cret\0x", 8}, 0600), "NUL"));
  BOOST_TEST(
      holds(errors_of("database:\n  url: dbname=a\n  password_file: /tmp\n"), "regular file"));
  BOOST_TEST(
      holds(errors_of("database:\n  url: dbname=a\n  password_file: /nowhere\n"), "No such file"));
}

BOOST_AUTO_TEST_CASE(no_message_shows_the_connection_string) {
  for (const std::string url : {"mysql://u:s3cret@h/db", "s3cret", "'password=s3cret x'",
                                "postgresql://h/db?s3cret", "\"password='s3cret\""}) {
    const std::string errors = errors_of("database:\n  url: " + url + "\n");
    BOOST_TEST(holds(errors, "c.yaml:2:8: database.url: the connection string is "));
    BOOST_TEST(!holds(errors, "s3cret"));
  }
}

BOOST_AUTO_TEST_SUITE_END()
