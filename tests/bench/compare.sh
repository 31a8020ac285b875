#!/bin/sh
# Measures seconds per cube of memaed and of its peers, in turn on the same machine in the same run, and prints their ratios. A
# cube is a window of 16 frames. Measures the frozen network, or with --train a step of training (forward, back, Adam) on
# batches of BATCH.
#
#   tests/bench/compare.sh [--train BATCH] [ARCH [THREADS [ROUNDS]]]        (paper, 2, 3)
#
# Each round runs all programs one after the other, so a machine that slows down slows all of them. Medians are
# compared. Peers:
#   PyTorch as Debian has it, and PyTorch with the OpenBLAS kernels that memaed chooses for this CPU. Debian's OpenBLAS
#     by itself may choose much slower ones (daemon/base/blas.h). So the second ratio is that of memaed's own code. The
#     frozen network is also measured with both programs limited to AVX2. Needs python3-torch and the reference
#     (../shared/reference).
#   oneDNN by tests/bench/onednn.cpp, for the paper's frozen network. Needs libdnnl-dev and a C++ compiler.
# A peer that is not installed is left out, with a line that says so. MEMAED names the program to measure. EACH_S is
# the number of seconds of each measurement of memaed and of oneDNN (10).
set -eu
cd "$(dirname "$0")/../.."
batch=
if [ "${1:-}" = --train ]; then
    batch=${2:?a batch is missing}
    shift 2
fi
arch=${1:-paper} threads=${2:-2} rounds=${3:-3}
memaed=${MEMAED:-build/memaed} seconds=${EACH_S:-10}
reference=../shared/reference/memae_torch.py

[ -x "$memaed" ] || { echo "$memaed is not built" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM

torch='' onednn=''
if ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then
    echo "python3-torch is not installed: no PyTorch" >&2
elif [ ! -e "$reference" ]; then
    echo "$reference is not there: no PyTorch" >&2
else
    torch=1
fi
if [ "$batch" ] || [ "$arch" != paper ]; then
    :
elif ! echo '#include <dnnl.hpp>' | c++ -fsyntax-only -x c++ - 2>/dev/null; then
    echo "libdnnl-dev or a C++ compiler is not installed: no oneDNN" >&2
else
    onednn="$folder/onednn"
    c++ -O2 -Wall -Wextra -fopenmp -o "$onednn" tests/bench/onednn.cpp -ldnnl
fi

# measure KIND COMMAND…: runs the command, adds the kind to its line of JSON, prints the line and keeps it.
measure() {
    kind=$1
    shift
    line=$("$@") || { echo "$kind failed" >&2; return 1; }
    echo "$line" | sed "s/^{/{\"kind\": \"$kind\", /" | tee -a "$folder/results"
}

pytorch() {
    kind=$1
    shift
    [ "$torch" ] || return 0
    if [ "$batch" ]; then
        measure "$kind" env "$@" /usr/bin/python3 "$reference" train "$arch" "$batch" "$threads"
    else
        measure "$kind" env "$@" /usr/bin/python3 "$reference" bench "$arch" "$threads"
    fi
}

# own KIND THREADS OPTION…: measures memaed.
own() {
    kind=$1 n=$2
    shift 2
    measure "$kind" "$memaed" bench --arch "$arch" --threads "$n" --seconds "$seconds" "$@"
}

round=0
while [ "$round" -lt "$rounds" ]; do
    pytorch PyTorch
    own memaed "$threads" ${batch:+--train --batch "$batch"}
    kernels=$(tail -n 1 "$folder/results" | sed -n 's/.*"blas": "\([^"]*\)".*/\1/p')
    pytorch "PyTorch with memaed's OpenBLAS kernels" "OPENBLAS_CORETYPE=$kernels"
    if [ ! "$batch" ]; then
        [ ! "$onednn" ] || for precision in fp32 bf16 int8; do
            measure "oneDNN $precision" "$onednn" $precision "$threads" "$((seconds / 2))" || :      # fails if the CPU lacks it
        done
        own "memaed int8" "$threads" --precision int8
        own "memaed, one thread" 1
        own "memaed int8, one thread" 1 --precision int8
        pytorch "AVX2: PyTorch" ATEN_CPU_CAPABILITY=avx2 DNNL_MAX_CPU_ISA=AVX2
        export MEMAED_CPU=avx2
        own "AVX2: memaed" "$threads"
        own "AVX2: memaed int8" "$threads" --precision int8
        unset MEMAED_CPU
    fi
    round=$((round + 1))
done
/usr/bin/python3 - "$folder/results" <<'EOP'
import json
import statistics
import sys

kinds = {}
for line in open(sys.argv[1], encoding="utf-8"):
    run = json.loads(line)
    kinds.setdefault(run["kind"], []).append(run["seconds_per_cube"])
median = {kind: statistics.median(seconds) for kind, seconds in kinds.items()}
for kind, s in median.items():
    own = "AVX2: memaed" if kind.startswith("AVX2") else "memaed"
    if kind.endswith(", one thread"):
        many = kind.removesuffix(", one thread")
        times = [f"{s / median[many]:.2f} times that of all threads"]
    elif kind.startswith(own):
        times = []
    else:
        times = [f"{s / median[k]:.2f} times {k}'s" for k in (own, own + " int8") if k in median]
    print(", ".join([f"{kind}: {s:.4f} s/cube ({1 / s:.2f} cubes/s)", *times]))
EOP
