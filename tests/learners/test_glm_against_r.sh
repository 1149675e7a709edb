#!/bin/sh
# Fits of natgrad glm and of R, side by side.
. "$SOURCE/tests/cli/lib.sh"

if have Rscript; then
    Rscript "$SOURCE/tests/interop/glm_against_r.R" "$NATGRAD" "$folder" ||
        failed=1
else
    skip glm_against_r "no Rscript"
fi

finish
