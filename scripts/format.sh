#!/bin/sh
# Brings the sources to .clang-format; --check only names the files that
# differ, and fails if there are any.
set -eu

command -v clang-format >/dev/null 2>&1 || {
    mkdir -p build
    scripts/setup.sh clang-format
}

list=$(mktemp)
trap 'rm -f "$list"' EXIT
find include src cli tests examples bench -name '*.[ch]' | sort >"$list"

if [ "${1-}" != --check ]; then
    xargs clang-format -i <"$list"
    exit 0
fi

wrong=0
while read -r file; do
    if ! clang-format "$file" | cmp -s - "$file"; then
        echo "$file: not formatted"
        wrong=$((wrong + 1))
    fi
done <"$list"
if [ "$wrong" -gt 0 ]; then
    echo "$wrong files differ from .clang-format; run make format"
    exit 1
fi
