#!/bin/sh
# Seconds per cube, PyTorch and memaed in turn on the same machine in the same run, and their ratio: of the frozen network,
# or with --train of a step of training (forward, back, Adam) on batches of BATCH.
#
#   tests/bench/compare_pytorch.sh [--train BATCH] [ARCH [THREADS [ROUNDS]]]        (paper, 2, 3)
#
# Each round runs one after the other, so that a machine that slows down slows both; the medians are compared. PyTorch
# runs twice: as it comes, and with the OpenBLAS kernels that memaed chose for this CPU, where Debian's OpenBLAS by itself
# may take much slower ones (daemon/blas.h): the second is the ratio that memaed's own code earns. The frozen network of
# memaed runs twice, too: in fp32, as PyTorch does, and in 8 bits. Needs python3-torch and the reference beside the project
# (../shared/reference). MEMAED names the program to measure.
set -eu
cd "$(dirname "$0")/../.."
batch=
if [ "${1:-}" = --train ]; then
    batch=${2:?a batch is missing}
    shift 2
fi
arch=${1:-paper} threads=${2:-2} rounds=${3:-3}
memaed=${MEMAED:-build/memaed}
reference=../shared/reference/memae_torch.py

/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "python3-torch is not installed" >&2; exit 1; }
[ -e "$reference" ] || { echo "$reference is not there" >&2; exit 1; }
[ -x "$memaed" ] || { echo "$memaed is not built" >&2; exit 1; }
results=$(mktemp)
trap 'rm -f "$results"' EXIT
trap 'exit 1' INT TERM

pytorch() {
    if [ "$batch" ]; then
        /usr/bin/python3 "$reference" train "$arch" "$batch" "$threads"
    else
        /usr/bin/python3 "$reference" bench "$arch" "$threads"
    fi
}

round=0
while [ "$round" -lt "$rounds" ]; do
    pytorch | tee -a "$results"
    "$memaed" bench --arch "$arch" --threads "$threads" ${batch:+--train --batch "$batch"} | tee -a "$results"
    [ "$batch" ] || "$memaed" bench --arch "$arch" --threads "$threads" --precision int8 | tee -a "$results"
    kernels=$(tail -n 1 "$results" | sed -n 's/.*"blas": "\([^"]*\)".*/\1/p')
    (export OPENBLAS_CORETYPE="$kernels" && pytorch) | sed "s/{/{\"kernels\": \"$kernels\", /" | tee -a "$results"
    round=$((round + 1))
done
/usr/bin/python3 - "$results" <<'EOF'
import json
import statistics
import sys

runs = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
kinds = {"pytorch": [], "pytorch with memaed's OpenBLAS kernels": [], "memaed": [], "memaed in 8 bits": []}
for r in runs:
    own = "memaed in 8 bits" if r.get("precision") == "int8" else "memaed"
    kind = own if "peer" not in r else "pytorch with memaed's OpenBLAS kernels" if "kernels" in r else "pytorch"
    kinds[kind].append(r["seconds_per_cube"])
median = {kind: statistics.median(seconds) for kind, seconds in kinds.items() if seconds}
for kind, s in median.items():
    times = ", ".join(f"{s / median[own]:.2f} times {own}'s" for own in median if own.startswith("memaed"))
    print(f"{kind}: {s:.4f} s/cube ({1 / s:.2f} cubes/s), {times}")
EOF
