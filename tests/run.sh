#!/bin/sh
# Runs every test through CTest and closes with one line for all cases. A case
# is a Check test, or a line "ok"/"not ok" of a shell test; a test that was
# left out says "SKIP name: why".
set -u

build=${1:-build}
log=$build/Testing/cases.log

ctest --test-dir "$build" --output-log "$log" --verbose --timeout 600 \
    >/dev/null 2>&1
status=$?

awk '
    { sub(/^[0-9]+: /, "") }
    # Check: "100%: Checks: 12, Failures: 0, Errors: 0"
    /^[0-9]+%: Checks: / {
        split($0, field, /[ ,]+/)
        bad = field[5] + field[7]
        # A case that skipped has been counted by Check as passed.
        passed += field[3] - bad - here; failed += bad; closed = 1; here = 0
    }
    /^ok / { passed++; closed = 1 }
    /^not ok / { failed++; closed = 1; print }
    /^SKIP / { skipped++; here++; print }
    /^[^ ]+:[0-9]+:[FE]:/ { print }
    # CTest closes each program with two lines: its name, its result. One
    # that ended without a count of its own is one case.
    /Test +#[0-9]+: / { name = $4 }
    /^ +Passed +[0-9.]+ sec/ {
        if (!closed) passed++
        closed = here = 0
    }
    /^\*\*\*/ {
        print "not ok " name ": " $0
        if (!closed) failed++
        wrong = 1; closed = here = 0
    }
    END {
        if (wrong && !failed) failed = 1
        printf "%d passed, %d failed", passed, failed
        if (skipped) printf ", %d skipped", skipped
        printf "\n"
    }' "$log"
exit $status
