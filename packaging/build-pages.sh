#!/bin/sh
# Builds the pages. Arguments: npm, the web folder, a file to write when done.
set -eu
npm=$1 web=$2 stamp=$(realpath -m "$3")
cd "$web"
[ -d node_modules ] || "$npm" ci --no-audit --no-fund
"$npm" run --silent build
: > "$stamp"
