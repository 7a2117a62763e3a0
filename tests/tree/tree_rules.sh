#!/usr/bin/env bash
# usage: tests/tree/tree_rules.sh [DIR]
#
# Rules about the source tree that no compiler checks; DIR is the project's folder. Prints each
# violation as FILE:LINE: [RULE] what is wrong, and fails if there is one. self_check.sh proves that
# each rule still bites.
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

allowed_top='CMakeLists.txt README.md build config include migrations scripts src tests'
found=$(mktemp)
trap 'rm -f "$found"' EXIT
shopt -s nullglob globstar

tell() { printf '%s: [%s] %s\n' "$1" "$2" "$3" >>"$found"; }

check_top() {
  local entry
  for entry in *; do
    [[ " $allowed_top " == *" $entry "* ]] || tell "$entry" top-level "only dotfiles and: $allowed_top"
  done
}

# One pass over the C++ files of src/ and include/. Layers stand left to right; a folder includes only
# itself and what stands to its left; a library is known to the folders listed with it, and to no other.
check_cpp() {
  local files=(src/**/*.[ch]pp include/**/*.[ch]pp)
  ((${#files[@]})) || return 0
  awk '
    BEGIN {
      n = split("core observe pg store engine handlers config bench cli", layers, " ")
      for (i = 1; i <= n; i++) rank[layers[i]] = i
      home["pqxx"] = "pg"; home["libpq-fe.h"] = "pg"
      home["spdlog"] = "observe"; home["prometheus"] = "observe"
      home["yaml-cpp"] = "config"
      home["CLI"] = "cli"; home["httplib.h"] = "cli"
    }
    function tell(rule, text) { printf "%s:%d: [%s] %s\n", FILENAME, FNR, rule, text }
    FNR == 1 {
      opened = 0
      split(FILENAME, part, "/")
      layer = part[1] == "include" ? "public" : (part[2] in rank ? part[2] : "main")
      own = layer == "public" ? 0 : (layer == "main" ? n + 1 : rank[layer])
    }
    !opened && !/^(#pragma once)?[ \t]*$/ {
      opened = 1
      if ($0 !~ /^\/[\/*]/) tell("file-opening", "a file opens with a comment: what it is, which thread, what it must not do")
    }
    match($0, /^[ \t]*#[ \t]*include[ \t]*["<][^">]*/) {
      name = substr($0, RSTART, RLENGTH); quoted = name ~ /"/
      sub(/^[^"<]*["<]/, "", name); split(name, path, "/")
      if (quoted && !(path[1] in rank))
        tell("include-root", "\"" name "\": write it from src/, as \"folder/file.hpp\"")
      else if (quoted && rank[path[1]] > own)
        tell("layers", layer " must not include \"" name "\": " path[1] " stands to its right")
      else if (!quoted && path[1] in home && home[path[1]] != layer && !(layer == "main" && path[1] == "CLI"))
        tell("libraries", "<" name "> belongs to src/" home[path[1]] " only")
    }
    layer != "store" {
      code = $0; sub(/\/\/.*/, "", code)
      if (toupper(code) ~ /(FROM|INTO|UPDATE|JOIN|ONLY|TABLE)[ \t]+OUTBOX\./) tell("sql-home", "SQL on our tables lives in src/store")
    }' "${files[@]}" >>"$found"
}

check_length() {
  local file lines
  while read -r lines file; do
    [[ $file == total || $lines -le 600 ]] || tell "$file:$lines" length "$lines lines, 600 is the limit: split it by idea"
  done < <(wc -l -- {src,include,tests,scripts}/**/*.{cpp,hpp,sh} scripts/* CMakeLists.txt /dev/null 2>/dev/null)
}

check_todo() {
  grep -rnwE 'TODO|FIXME' src include tests scripts migrations config CMakeLists.txt 2>/dev/null |
    grep -vE '^tests/tree/|(TODO|FIXME)\(#[0-9]+\)' |
    while IFS=: read -r file line _; do tell "$file:$line" todo "write TODO(#issue) or do it"; done || true
}

check_migrations() {
  local up number seen=' '
  for up in migrations/*.up.sql; do
    [[ -f ${up%.up.sql}.down.sql ]] || tell "$up" migrations "has no .down.sql"
    number=${up#migrations/} number=${number%%_*}
    [[ $number =~ ^[0-9]{4}$ ]] || tell "$up" migrations "expected NNNN_name.up.sql"
    [[ $seen != *" $number "* ]] || tell "$up" migrations "number $number is taken"
    seen+="$number "
  done
  for up in migrations/*.down.sql; do
    [[ -f ${up%.down.sql}.up.sql ]] || tell "$up" migrations "has no .up.sql"
  done
}

check_top
check_cpp
check_length
check_todo
check_migrations
sort "$found"
count=$(wc -l <"$found")
((count == 0)) || {
  printf 'tree rules: %s violations\n' "$count"
  exit 1
}
