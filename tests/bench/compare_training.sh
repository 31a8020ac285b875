#!/bin/sh
# Cubes a second of a training step (forward, back, Adam), PyTorch and memaed in turn on the same machine in the same run,
# and their ratio.
#
#   tests/bench/compare_training.sh [ARCH [BATCH [THREADS [ROUNDS]]]]       (compact, 8, 2, 3)
#
# As compare_pytorch.sh does it for the frozen network: medians of rounds in turn; PyTorch as it comes, and with the
# OpenBLAS kernels that memaed chose for this CPU.
set -eu
cd "$(dirname "$0")/../.."
arch=${1:-compact} batch=${2:-8} threads=${3:-2} rounds=${4:-3}
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
    /usr/bin/python3 "$reference" train "$arch" "$batch" "$threads" | tee -a "$results"
    "$memaed" bench --train --arch "$arch" --batch "$batch" --threads "$threads" | tee -a "$results"
    kernels=$(tail -n 1 "$results" | sed -n 's/.*"blas": "\([^"]*\)".*/\1/p')
    OPENBLAS_CORETYPE=$kernels /usr/bin/python3 "$reference" train "$arch" "$batch" "$threads" |
        sed "s/{/{\"kernels\": \"$kernels\", /" | tee -a "$results"
    round=$((round + 1))
done
/usr/bin/python3 - "$results" <<'END'
import json
import statistics
import sys

runs = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
kinds = {"pytorch": [], "pytorch with memaed's OpenBLAS kernels": [], "memaed": []}
for r in runs:
    kind = "memaed" if "peer" not in r else "pytorch with memaed's OpenBLAS kernels" if "kernels" in r else "pytorch"
    kinds[kind].append(1 / r["seconds_per_cube"])
own = statistics.median(kinds["memaed"])
for kind, cubes in kinds.items():
    rate = statistics.median(cubes)
    print(f"{kind}: {rate:.2f} cubes/s; memaed does {own / rate:.2f} times that")
END
