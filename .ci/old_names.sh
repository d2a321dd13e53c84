#!/usr/bin/env bash
# Fails if a name that was given up comes back. .ci/old_names.txt has one pattern a line.
set -euo pipefail
cd "$(dirname "$0")/.."
if git grep -nP -f .ci/old_names.txt -- . ':!.ci/old_names.txt' ':!*.lock'; then
  echo "FAILED: these names were given up (.ci/old_names.txt)" >&2
  exit 1
fi
echo "  none of $(wc -l <.ci/old_names.txt) old names"
