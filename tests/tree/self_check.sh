#!/usr/bin/env bash
# usage: tests/tree/self_check.sh
#
# Proves that each rule of tree_rules.sh bites: builds a small clean tree, which must pass, then breaks
# one rule at a time and expects exactly that rule to be named.
set -euo pipefail
rules=$(cd "$(dirname "$0")" && pwd)/tree_rules.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0

clean_tree() {
  rm -rf "$dir/tree"
  mkdir -p "$dir/tree"/{src/{core,pg,store,engine},include/outbox,migrations,tests,scripts,.git}
  cd "$dir/tree"
  touch CMakeLists.txt README.md .gitignore
  printf '#pragma once\n\n// A job.\n#include <string>\n' >include/outbox/job.hpp
  printf '// Pure.\n#include <outbox/job.hpp>\n' >src/core/a.hpp
  printf '// Session.\n#include <pqxx/pqxx>\n#include "core/a.hpp"\n' >src/pg/b.cpp
  printf '// Claims.\n#include "pg/b.hpp"\nauto sql = "SELECT 1 FROM outbox.jobs";\n' >src/store/c.cpp
  printf '// Uses it.\n// reads FROM outbox.jobs\n#include "store/c.hpp"\n' >src/engine/d.cpp
  printf '// Starts.\n#include <CLI/CLI.hpp>\n#include "engine/d.hpp"\n' >src/main.cpp
  printf '// TODO(#12): later\n' >src/core/todo.cpp
  touch migrations/0001_jobs.{up,down}.sql
}

expect() { # expect RULE: the tree as it stands must be refused for RULE and for nothing else
  local output
  if output=$(bash "$rules" "$dir/tree"); then
    printf 'rule %s did not bite\n' "$1"
  elif [[ $(grep -o '\[[a-z-]*\]' <<<"$output" | sort -u) != "[$1]" ]]; then
    printf 'expected only rule %s, got:\n%s\n' "$1" "$output"
  else
    return 0
  fi
  failures=$((failures + 1))
}

clean_tree
bash "$rules" "$dir/tree" || failures=1

clean_tree && mkdir docs && expect top-level
clean_tree && echo '#include "store/c.hpp"' >>src/core/a.hpp && expect layers
clean_tree && echo '#include "core/a.hpp"' >>include/outbox/job.hpp && expect layers
clean_tree && echo '#include "a.hpp"' >>src/core/a.hpp && expect include-root
clean_tree && echo '#include <pqxx/result>' >>src/store/c.cpp && expect libraries
clean_tree && echo '#include <pqxx/pqxx>' >>include/outbox/job.hpp && expect libraries
clean_tree && echo '#include <yaml-cpp/yaml.h>' >>src/core/a.hpp && expect libraries
clean_tree && echo 'auto s = "update outbox.jobs";' >>src/engine/d.cpp && expect sql-home
clean_tree && printf '#include <string>\n// Late.\n' >src/core/e.cpp && expect file-opening
clean_tree && { echo '// Long.' && seq -f '// %g' 600; } >src/core/long.cpp && expect length
clean_tree && echo '// TODO: some day' >>src/core/a.hpp && expect todo
clean_tree && rm migrations/0001_jobs.down.sql && expect migrations
clean_tree && rm migrations/0001_jobs.up.sql && expect migrations
clean_tree && touch migrations/0001_more.{up,down}.sql && expect migrations

((failures == 0))
