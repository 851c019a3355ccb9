#!/usr/bin/env bash
# Trains a config with several processes, one per GPU, or on the CPU where there is none.
#   tools/dist_train.sh CONFIG PROCESSES [arguments of tools/train.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT from the environment.
set -euo pipefail

if [ $# -lt 2 ] || ! [[ "$2" =~ ^[1-9][0-9]*$ ]]; then
    echo "error: usage: tools/dist_train.sh CONFIG PROCESSES [arguments of tools/train.py]" >&2
    exit 2
fi
config="$1"
processes="$2"
shift 2

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="${PYTHON:-$root/.venv/bin/python}"
[ -x "$python" ] || python=python
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

# The processes share the processors.
cores="$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)" # macOS has no nproc
threads=$((cores / processes))
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$((threads > 0 ? threads : 1))}"
export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-10000}"

rendezvous=(--standalone)
if [ -n "${MASTER_PORT:-}" ] || [ "${NNODES:-1}" -gt 1 ]; then
    rendezvous=(
        --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}"
        --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${MASTER_PORT:-29500}"
    )
fi
exec "$python" -m torch.distributed.run "${rendezvous[@]}" --nproc-per-node "$processes" \
    "$root/tools/train.py" "$config" --launcher pytorch "$@"
