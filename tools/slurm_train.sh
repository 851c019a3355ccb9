#!/usr/bin/env bash
# Trains a config on a Slurm cluster, one task per GPU.
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]
# GPUS (default 8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS from the environment.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "error: usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]" >&2
    exit 2
fi
partition="$1"
job_name="$2"
shift 2

gpus="${GPUS:-8}"
per_node="${GPUS_PER_NODE:-8}"
per_node=$((gpus < per_node ? gpus : per_node))
read -r -a srun_args <<<"${SRUN_ARGS:-}"

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="${PYTHON:-$root/.venv/bin/python}"
[ -x "$python" ] || python=python
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
export MASTER_PORT="${MASTER_PORT:-29500}"

# shellcheck disable=SC2016  # expanded by each task, from what Slurm tells it
task='export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS
MASTER_ADDR=$(scontrol show hostname "$SLURM_NODELIST" | head -n 1)
export MASTER_ADDR
exec "$@"'
exec srun -p "$partition" --job-name="$job_name" --gres=gpu:"$per_node" --ntasks="$gpus" \
    --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
    ${srun_args[@]+"${srun_args[@]}"} \
    bash -c "$task" task "$python" "$root/tools/train.py" "$@" --launcher pytorch
