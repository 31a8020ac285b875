#!/bin/sh
# Seconds per paper-size cube, PyTorch and memaed in turn on the same machine in the same run, and their ratio.
#
#   tests/bench/compare_pytorch.sh [ARCH [THREADS [ROUNDS]]]        (paper, 2, 3)
#
# Each round runs one after the other, so that a machine that slows down slows both; the medians are compared. Needs
# python3-torch and the reference beside the project (../shared/reference). MEMAED names the program to measure.
set -eu
cd "$(dirname "$0")/../.."
arch=${1:-paper} threads=${2:-2} rounds=${3:-3}
memaed=${MEMAED:-build/memaed}
reference=../shared/reference/memae_torch.py

/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "python3-torch is not installed" >&2; exit 1; }
[ -e "$reference" ] || { echo "$reference is not there" >&2; exit 1; }
[ -x "$memaed" ] || { echo "$memaed is not built" >&2; exit 1; }
results=$(mktemp)
trap 'rm -f "$results"' EXIT
trap 'exit 1' INT TERM

round=0
while [ "$round" -lt "$rounds" ]; do
    /usr/bin/python3 "$reference" bench "$arch" "$threads" | tee -a "$results"
    "$memaed" bench --arch "$arch" --threads "$threads" | tee -a "$results"
    round=$((round + 1))
done
/usr/bin/python3 - "$results" <<'EOF'
import json
import statistics
import sys

runs = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
peer, own = (statistics.median(r["seconds_per_cube"] for r in runs if ("peer" in r) == is_peer)
             for is_peer in (True, False))
print(f"pytorch {peer:.3f} s/cube, memaed {own:.3f} s/cube: {peer / own:.2f} times as fast")
EOF
