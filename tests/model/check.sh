#!/usr/bin/env bash
# usage: tests/model/check.sh [MACRO FAULTS PROPERTY]
#
# The model of the claim protocol, claim.pml: searched completely, its properties hold and each of its steps is taken; and each
# witness, a rule broken, violates the property that the rule is for. One line for each. With arguments: the steps that lead to
# one violation. Needs spin and gcc.
set -euo pipefail
: "${OUTBOX_SOURCE_DIR:=$(cd "$(dirname "$0")/../.." && pwd)}"
source "$OUTBOX_SOURCE_DIR/scripts/lib.sh"
(($# == 0 || $# == 3)) || usage 2
model=$(cd "$(dirname "$0")" && pwd)/claim.pml
for tool in spin gcc; do
  command -v "$tool" >/dev/null || die "$tool not found. hint: apt-get install spin gcc"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
wrong=0

# MACRO, FAULTS, and the property that it violates.
witnesses='
FINISH_UNCHECKED 2 once
FINISH_UNCHECKED 2 finished
LOST_IS_FAILED 2 once
LOST_IS_FAILED 2 crashed
FINISH_BY_ID 2 owner
FINISH_BY_STATE 2 owner
FINISH_BY_PROCESSOR 2 owner
FINISH_BY_TOKEN 2 owner
RESCUE_TWO_STEPS 2 owner
RESCUE_TWO_STEPS 2 letter
NO_STRAYS 2 ends
STRAYS_EARLY 2 ends
KNOWN_BY_ID 2 ends
RELEASE_BY_FIRST 3 ends
SAME_ID 2 rejoins'
# What the whole model does not promise. If one of these holds some day, claim.pml has it in the wrong place.
not_promised='
TOLD 2 told
NOTHING 2 charged'

generate() { # generate FAULTS MACRO [GCC-OPTION]…: ./pan
  quietly spin.log spin -a "-DFAULTS=$1" "-D$2" "$model" || die "spin refuses claim.pml with -D$2, see above"
  quietly gcc.log gcc -w -DNOREDUCE -DNOFAIR "${@:3}" -o pan pan.c || die "gcc refuses what spin made of claim.pml, see above"
}
search() { # search PROPERTY
  ./pan -a -m2000 -w21 -N "$1" >pan.log 2>&1 || true
}
holds() { grep -q 'errors: 0$' pan.log && ! grep -qiE 'not completed|too small|out of memory|error:' pan.log; }
violated() { grep -q 'errors: 1$' pan.log && grep -qE '^pan:1: (assertion violated +!|acceptance cycle)' pan.log; }
tell() { # tell VERDICT WHAT, with the numbers of the last search
  local states seconds
  states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.log)
  seconds=$(sed -n 's/^pan: elapsed time \([0-9.]*\) .*/\1/p' pan.log)
  printf '%-9s %-36s %7d states %6.1f s\n' "$1" "$2" "${states:-0}" "${seconds:-0}"
}
complain() {
  wrong=$((wrong + 1))
  note "$1; spin said:"
  head -n 30 pan.log | sed 's/^/  /' >&2
}
expect_holds() { # expect_holds PROPERTY [NAME]
  search "$1"
  if holds; then tell holds "${2:-$1}"; else complain "expected ${2:-$1} to hold"; fi
}
expect_violated() { # expect_violated MACRO PROPERTY
  search "$2"
  if violated; then tell violated "$2: $1"; else complain "expected $1 to violate $2"; fi
}
# The last search has been everywhere: a step that no run takes would prove nothing.
expect_all_taken() {
  sed -n '/^unreached in proctype/,$p' pan.log | grep 'claim\.pml' | grep -v '"-end-"' >never.log || return 0
  wrong=$((wrong + 1))
  note "steps that no run takes:"
  cat never.log >&2
}

trace() { # trace MACRO FAULTS: each step, by the process's number and name and its line of the model
  spin -t -p -k claim.pml.trail "-DFAULTS=$2" "-D$1" "$model" |
    sed -nE 's/^ *[0-9]+:[[:space:]]+proc +([0-9]+) \((\w+):1\) .*claim\.pml:([0-9]+) .*\[\(.*/\1 \2 \3/p' |
    awk 'NR == FNR { text[FNR] = $0; next } text[$3] ~ /atomic/ { printf "%2d %-14s %4d%s\n", $1, $2, $3, text[$3] }' "$model" -
}

if (($#)); then
  generate "$2" "$1" -DREVERSE -DT_REVERSE
  search "$3"
  violated || die "$1 does not violate $3: $(grep -m 1 -oE 'errors: .*|error: .*' pan.log)"
  trace "$1" "$2"
  exit
fi

generate 3 NOTHING -O1
expect_holds safe 'once finished letter owner crashed'
expect_all_taken
expect_holds ends
generate 2 NOTHING
expect_holds rejoins

while read -r macro faults property; do
  generate "$faults" "$macro" -DREVERSE -DT_REVERSE # finds them sooner
  expect_violated "$macro" "$property"
done < <(sed '/^$/d' <<<"$witnesses$not_promised")
((wrong == 0)) || die "$wrong of the above are not as expected"
