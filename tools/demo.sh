#!/usr/bin/env bash
# Sets up, makes sample data, trains both stages, evaluates on held-out samples and animates one of them.
#   tools/demo.sh [TASK=pose] [--resume]
# What is the task's own is found by its name: data_prep/samples/TASK.py, configs/TASK/sample.py, and
# configs/TASK/demo.args (the arguments of tools/animate.py, one per line, @DATA@ = the sample data).
# Every configs/TASK/sample_METHOD.py is trained on the same data and measured beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

task=pose
resume=no
for argument in "$@"; do
    case "$argument" in
    --resume) resume=yes ;;
    -h | --help)
        sed -n '2,6s/^# \{0,1\}//p' tools/demo.sh
        exit 0
        ;;
    -*)
        echo "error: unknown option '$argument', usage: tools/demo.sh [TASK] [--resume]" >&2
        exit 2
        ;;
    *) task="$argument" ;;
    esac
done

config="configs/$task/sample.py"
for needed in "data_prep/samples/$task.py" "$config" "configs/$task/demo.args"; do
    if [ ! -f "$needed" ]; then
        echo "error: '$task' has no demo, $needed is missing" >&2
        exit 2
    fi
done

others=()
for other in "configs/$task"/sample_*.py; do
    if [ -f "$other" ]; then
        others+=("$other")
    fi
done
steps=$((${#others[@]} > 0 ? 5 : 4))

# CUDA kernels take minutes to build; the demo needs them only where there is a GPU
if ! command -v nvidia-smi >/dev/null 2>&1 && [ ! -e gfla_video/ops/_native_cuda.so ]; then
    export GFLA_BUILD="${GFLA_BUILD:-cpu}"
fi
tools/setup.sh
say() { printf '\n[demo] %s\n' "$*"; }
python=.venv/bin/python
work="work_dirs/demo/$task"
data="$work/data"
started=$SECONDS

train_options=()
if [ "$resume" = yes ] && [ -d "$data" ]; then
    train_options+=(--resume)
else
    rm -rf "$work"
    say "1/$steps sample data -> $data"
    "$python" data_prep/make_samples.py --task "$task" --out "$data"
fi

say "2/$steps training, both stages: $config -> $work"
"$python" tools/train.py "$config" --work-dir "$work" ${train_options[@]+"${train_options[@]}"}

say "3/$steps evaluation on held-out samples"
"$python" tools/test.py "$config" "$work/model.pth" --out "$work/metrics.json" --preview "$work/preview.png" |
    tee "$work/metrics.txt"

table="$work/metrics.txt"
compared=("gfla=$work/metrics.json")
for other in ${others[@]+"${others[@]}"}; do
    method="$(basename "$other" .py)"
    method="${method#sample_}"
    say "4/$steps training and evaluation: $other -> $work/$method"
    "$python" tools/train.py "$other" --work-dir "$work/$method" ${train_options[@]+"${train_options[@]}"}
    "$python" tools/test.py "$other" "$work/$method/model.pth" --baselines copy_source zero_flow \
        --out "$work/$method/metrics.json" --preview "$work/$method/preview.png"
    compared+=("$method=$work/$method/metrics.json")
done
if [ ${#others[@]} -gt 0 ]; then
    table="$work/comparison.txt"
    "$python" tools/compare_results.py "${compared[@]}" --out "$work/comparison.json" | tee "$table"
fi

say "$steps/$steps animation of a held-out sample"
animate_arguments=()
while IFS= read -r line; do
    case "$line" in
    "" | "#"*) ;;
    *) animate_arguments+=("${line//@DATA@/$data}") ;;
    esac
done <"configs/$task/demo.args"
"$python" tools/animate.py "$config" "$work/model.pth" "${animate_arguments[@]}" --out "$work/demo.mp4"

say "done in $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s; the metrics of held-out samples:"
cat "$table"
echo
echo "$work/demo.mp4"
echo "$work/preview.png"
echo "$work/metrics.json"
if [ ${#others[@]} -gt 0 ]; then
    echo "$work/comparison.json"
fi
