# Helpers shared by the scripts. Sourced, never run; expects `set -euo pipefail` in the caller.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export PATH="$PATH:/usr/sbin:/sbin"

say() { printf '%s\n' "$*"; }
note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  note "$*"
  exit 1
}

# usage: the comment block at the top of the calling script is its help text.
usage() {
  sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"
  exit "${1:-0}"
}

is_terminal() { [[ -t 1 && ${TERM:-dumb} != dumb ]]; }

# quietly LOG COMMAND…: runs it with its output in LOG, which is shown only when the command fails.
quietly() {
  local log=$1 status=0
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  ((status == 0)) || tail -n 200 "$log" >&2
  return "$status"
}

# npm_install DIR [PACKAGE]…: from the npm registry; without packages, those of DIR/package.json.
npm_install() {
  command -v npm >/dev/null || die "npm not found. hint: scripts/setup"
  mkdir -p "$1"
  quietly "$1/npm.log" npm --prefix "$1" install --no-audit --no-fund --ignore-scripts "${@:2}" ||
    die "npm install ${*:2} failed, see above"
}

seconds_since() { # seconds_since START, where START was $EPOCHREALTIME
  awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }'
}

# sanitizer_options PRESET: for the programs of that preset, and into the array runner what must stand
# before them.
# shellcheck disable=SC2034  # runner is the caller's
sanitizer_options() {
  local supp=$root/.sanitizers
  runner=()
  export ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1"
  export LSAN_OPTIONS="suppressions=$supp/lsan.supp:print_suppressions=0"
  export UBSAN_OPTIONS="print_stacktrace=1:suppressions=$supp/ubsan.supp"
  export TSAN_OPTIONS="suppressions=$supp/tsan.supp:second_deadlock_stack=1:halt_on_error=0"
  # GCC 12's thread sanitizer dies at start where the kernel randomises addresses too widely.
  [[ $1 != tsan ]] || ! setarch -R true 2>/dev/null || runner=(setarch -R)
}

# The files of tests/chaos that are scenarios, and not what they share.
chaos_scenarios() { grep -l '^profile ' "$root"/tests/chaos/*.sh; }

# pg_bindir: where initdb and postgres live; the newest server from 14 on. Fails when there is none.
pg_bindir() {
  local dir dirs version
  mapfile -t dirs < <(compgen -G '/usr/lib/postgresql/*/bin' | sort -rV)
  ! dir=$(command -v initdb) || dirs+=("${dir%/*}")
  for dir in ${dirs[@]+"${dirs[@]}"}; do
    [[ -x $dir/initdb && -x $dir/postgres && -x $dir/pgbench ]] || continue
    version=$("$dir/postgres" --version | sed 's/.* \([0-9]*\).*/\1/')
    ((version >= 14)) && say "$dir" && return 0
  done
  return 1
}

# prepare_release_and_pg NAME [-o name=value]…, for quickstart and bench: everything installed, a release
# built, the private cluster NAME up. Leaves $outboxd (the program) and $pg_url (superuser) behind.
prepare_release_and_pg() {
  local name=$1
  shift
  "$root/scripts/build" release outboxd
  "$root/scripts/pg" -n "$name" "$@" up
  # shellcheck disable=SC2034  # for the caller
  outboxd=$root/build/release/outboxd pg_url=$("$root/scripts/pg" -n "$name" url)
}
