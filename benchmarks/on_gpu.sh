#!/usr/bin/env bash
# Runs benchmarks/on_gpu.py with this checkout, which takes precedence over an installed package.
#
#     benchmarks/on_gpu.sh OUTPUT.json [--dry-run]
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH="$repo${PYTHONPATH:+:$PYTHONPATH}" OMP_NUM_THREADS=1
exec python3 "$repo/benchmarks/on_gpu.py" "$@"
