# Shared by the demos: an engine in a directory of its own, and commands that are shown, run and checked.
# Sourced after lib.sh, never run.
# shellcheck shell=bash

engine_name=${ENGINE:-terraform}
case $engine_name in
terraform | tofu) ;;
*) fail "ENGINE is terraform or tofu, not $engine_name" ;;
esac

# Points to the directory of a demo that has left something running, or is about to: one at a time, for its addresses are
# fixed.
# shellcheck disable=SC2034,SC2154 # the scripts that source this file use it; lib.sh has the cache
demo_mark=$cache/demo

# demo_begin: everything happens below $work, which is removed at the end, after `demo_end` if there is one.
demo_begin() {
    local name
    engine=$(scripts/setup-engine "$engine_name")
    work=$(mktemp -d)
    # The paths of local hosts are told to programs, so they are plain.
    if [[ ! $work =~ ^[A-Za-z0-9/._-]+$ ]]; then
        rmdir "$work"
        work=$(mktemp -d /tmp/demo.XXXXXX)
    fi
    trap 'demo_leave' EXIT
    trap 'exit 130' INT TERM
    mkdir "$work/bin"
    # So that a command reads as one would type it.
    ln -s "$engine" "$work/bin/$engine_name"
    cat >"$work/cli.tfrc" <<END
provider_installation {
  filesystem_mirror { path = "$work/mirror" }
}
END
    # By it undemo knows what the demo has started, whatever has become of the demo.
    export DEMO_DIRECTORY=$work
    # Habits of the caller would change what is shown.
    for name in $(compgen -e | grep -E '^(TF|HA|PROBE|ETCDCTL)_' || true); do unset "$name"; done
    export PATH=$work/bin:$PATH TF_CLI_CONFIG_FILE=$work/cli.tfrc CHECKPOINT_DISABLE=1
    [[ -t 1 ]] || export TF_CLI_ARGS=-no-color
}

demo_leave() {
    if declare -F demo_end >/dev/null; then demo_end; fi
    rm -rf "$work"
}

# processes PATH…: the ids of processes that have one of these in their command line.
processes() {
    local process line path
    for process in /proc/[0-9]*; do
        # It may have ended meanwhile.
        line=$({ tr '\0' '\n' <"$process/cmdline"; } 2>/dev/null) || continue
        for path in "$@"; do
            [[ $line != *"$path"* ]] || printf '%s ' "${process#/proc/}"
        done
    done
}

# demo_offer TYPE VERSION PROGRAM FILE…: the engine finds this provider, with files beside it; each as NAME=PATH or PATH.
demo_offer() {
    local type=$1 version=$2 program=$3 file host place
    shift 3
    for host in registry.terraform.io registry.opentofu.org; do
        place=$work/mirror/$host/terraform-ha/$type/$version/$(platform)
        mkdir -p "$place"
        # Without what only a debugger reads: an engine hashes all of it.
        install -s -m 0755 "$program" "$place/terraform-provider-${type}_v$version"
        for file in "$@"; do
            install -s -m 0755 "${file#*=}" "$place/$(basename "${file%%=*}")"
        done
    done
}

step=0 step_began=0
if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
tell() {
    [[ $step -eq 0 ]] || printf '(%s s)\n' $((SECONDS - step_began))
    step=$((step + 1)) step_began=$SECONDS
    printf '\n%s%s. %s%s\n' "$bold" "$step" "$*" "$plain"
}

# run STATUS COMMAND…: shows the command, runs it, and insists on its exit status.
run() {
    local expected=$1 status=0
    shift
    printf '%s$ %s%s\n' "$bold" "$*" "$plain"
    if [[ -t 1 ]] && have script; then
        # A terminal of its own, so that the engine keeps its colours while its words are kept for the checks.
        script -qec "$(printf '%q ' "$@")" "$work/raw.txt" </dev/null || status=$?
    else
        "$@" >"$work/raw.txt" 2>&1 </dev/null || status=$?
        cat "$work/raw.txt"
    fi
    # The output of the last command, without colours.
    sed -e 's/\x1b\[[0-9;]*m//g' -e 's/\r$//' "$work/raw.txt" >"$work/last.txt"
    [[ $status -eq $expected ]] || fail "step $step: the exit status is $status and should be $expected"
}

# says PATTERN: the last output has a line like this.
says() { grep -qE -- "$1" "$work/last.txt" || fail "step $step: the output should say: $1"; }

tf() {
    local expected=$1
    shift
    run "$expected" "$engine_name" "$@"
}

demo_went_well() {
    printf '\n%sThe demo went as told: %s steps, %s s.%s\n' "$bold" "$step" "$SECONDS" "$plain"
}
