#!/usr/bin/env bash
# Installs what building and testing Esper need: Debian packages, and PyTorch with the Python
# packages in .venv. Safe to run again and again: what is already there is left alone.
#
#   ESPER_TORCH=<folder of an installed torch package>   use that PyTorch, install none
#   ESPER_PYTHON=<python>                                the Python that .venv is made with
set -euo pipefail
cd "$(dirname "$0")/.."

TORCH_VERSION=2.13.0
# Its wheel has Arrow's C++ libraries and headers, with which Parquet files are read.
PYARROW_VERSION=26.0.1
BUILD_PACKAGES=(
    g++ cmake ninja-build ccache mold make git pkg-config ca-certificates
    python3 python3-venv python3-dev
    nlohmann-json3-dev libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev libexpected-dev
    libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev
    libssl-dev libcurl4-openssl-dev zlib1g-dev
    libturbojpeg0-dev libpng-dev libminizip-dev libpcre2-dev libsqlite3-dev libpq-dev libboost-dev
)
# For make lint, fuzz and coverage only: a system without them still builds and tests.
TOOL_PACKAGES=(clang-16 clang-format-16 clang-tidy-16 libclang-rt-16-dev)
# For the tests of the live page in a browser only; without it they are skipped.
BROWSER_PACKAGES=(chromium strace)
# A server for the tests of a library in PostgreSQL; without it they are skipped. Its package
# postgresql-common would start one as a service, unless it is told not to.
DATABASE_PACKAGES=(postgresql-15)
# For the third level of the compiler's sandbox; without it compilers run at the second.
SANDBOX_PACKAGES=(bubblewrap)
PYTHON_PACKAGES=(numpy safetensors pillow pytest pytest-xdist scikit-build-core gcovr coverage)

say() { echo "setup: $*"; }
refuse() {
    echo "setup: $*" >&2
    exit 1
}

# Prints those of the named Debian packages that are not installed.
missing_packages() {
    local installed
    installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true)"
    for package in "$@"; do
        [[ $installed == *" installed:$package "* ]] || echo "$package"
    done
}

as_root() {
    if [[ $EUID -eq 0 ]]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() { [[ $EUID -eq 0 ]] || { command -v sudo && sudo -n true; } >/dev/null 2>&1; }

lists_are_fresh=no
install_packages() {
    if [[ $lists_are_fresh == no ]]; then
        say "apt-get update"
        as_root apt-get update -qq || say "apt-get update failed; going on with the lists at hand"
        lists_are_fresh=yes
    fi
    say "apt-get install $* (seconds for one, one to three minutes for all)"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# The server that the tests start; none as a service of this machine.
install_database() {
    if [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then
        as_root mkdir -p /etc/postgresql-common &&
            echo 'create_main_cluster = false' |
            as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    install_packages "${DATABASE_PACKAGES[@]}"
}

stamp_file=.venv/.esper-setup
stamp="$(sha256sum <scripts/setup.sh | cut -c1-16) torch=${ESPER_TORCH:-own}"
is_stamped() { [[ -f $stamp_file && $(head -1 "$stamp_file") == "$stamp" ]]; }

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    mapfile -t missing < <(missing_packages "${BUILD_PACKAGES[@]}")
    if [[ ${#missing[@]} -gt 0 ]]; then
        can_be_root || refuse "these packages are missing and installing them needs root. Run:
    apt-get update && apt-get install ${missing[*]}"
        install_packages "${missing[@]}" ||
            refuse "apt-get could not install: ${missing[*]} (its own message is above)"
    fi
    mapfile -t missing < <(missing_packages "${TOOL_PACKAGES[@]}")
    if [[ ${#missing[@]} -gt 0 ]] && ! is_stamped; then
        if ! can_be_root || ! install_packages "${missing[@]}"; then
            say "without ${missing[*]}, 'make lint', 'make fuzz' or 'make coverage' will not work"
        fi
    fi
    mapfile -t missing < <(missing_packages "${BROWSER_PACKAGES[@]}")
    if [[ ${#missing[@]} -gt 0 ]] && ! is_stamped; then
        if ! can_be_root || ! install_packages "${missing[@]}"; then
            say "without ${missing[*]} the tests of the live page are skipped"
        fi
    fi
    mapfile -t missing < <(missing_packages "${DATABASE_PACKAGES[@]}")
    if [[ ${#missing[@]} -gt 0 ]] && ! is_stamped; then
        if ! can_be_root || ! install_database; then
            say "without ${missing[*]} the tests of a library in PostgreSQL are skipped"
        fi
    fi
    mapfile -t missing < <(missing_packages "${SANDBOX_PACKAGES[@]}")
    if [[ ${#missing[@]} -gt 0 ]] && ! is_stamped; then
        if ! can_be_root || ! install_packages "${missing[@]}"; then
            say "without ${missing[*]} kernels are compiled at sandbox level 2 ('esper doctor')"
        fi
    fi
else
    for tool in g++ cmake ninja git python3; do
        command -v "$tool" >/dev/null || refuse "this is no Debian system and '$tool' is missing.
Install what Debian calls: ${BUILD_PACKAGES[*]}"
    done
fi

if [[ -n ${ESPER_TORCH:-} && ! -f $ESPER_TORCH/lib/libtorch_cpu.so ]]; then
    refuse "ESPER_TORCH=$ESPER_TORCH: expected the folder of an installed torch package, with
lib/libtorch_cpu.so in it. 'python3 -c \"import torch; print(torch.__path__[0])\"' prints it."
fi

if is_stamped && [[ -x .venv/bin/python ]]; then
    say "everything is there"
    exit 0
fi

python="${ESPER_PYTHON:-$(command -v python3)}"
if [[ ! -x .venv/bin/python ]]; then
    say "making .venv with $("$python" --version)"
    "$python" -m venv .venv ||
        refuse "$python cannot make a virtual environment; name one that can with ESPER_PYTHON"
fi
venv=.venv/bin/python
packages=$("$venv" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
pip_install() { "$venv" -m pip install --quiet --disable-pip-version-check "$@"; }

has_torch() {
    # Any release that the library builds for may stay.
    "$venv" -c "
from importlib.metadata import version
assert (2, 11) <= tuple(map(int, version('torch').split('.')[:2])) <= (2, 14)" 2>/dev/null
}

rm -f "$packages/esper_torch.pth"
if [[ -n ${ESPER_TORCH:-} ]]; then
    say "using the PyTorch in $ESPER_TORCH"
    # Lets .venv import that PyTorch and what it came with; .venv's own packages go first.
    (cd "$ESPER_TORCH/.." && pwd) >"$packages/esper_torch.pth"
    "$venv" -c 'import torch' 2>/dev/null ||
        say "$("$venv" --version) cannot import it: Python tests that need torch will be skipped"
elif ! has_torch; then
    # The CPU build first: the default one for Linux brings gigabytes of CUDA.
    say "installing torch $TORCH_VERSION (CPU build): 200 MB, usually one to three minutes"
    quick=(--retries 1 --timeout 20)
    pip_install "${quick[@]}" "torch==$TORCH_VERSION+cpu" 2>/dev/null ||
        pip_install "${quick[@]}" "torch==$TORCH_VERSION+cpu" \
            --extra-index-url https://download.pytorch.org/whl/cpu 2>/dev/null ||
        { say "no CPU build at hand; installing the default build: 3 GB, ten minutes or more" &&
            pip_install "torch==$TORCH_VERSION"; } ||
        refuse "pip could not install torch $TORCH_VERSION; set ESPER_TORCH to an installed one"
fi

if ! "$venv" -c "import pyarrow; assert pyarrow.__version__ == '$PYARROW_VERSION'" 2>/dev/null; then
    say "installing pyarrow $PYARROW_VERSION: 50 MB, usually under a minute"
    pip_install "pyarrow==$PYARROW_VERSION" ||
        say "no pyarrow $PYARROW_VERSION: the program will refuse Parquet files"
fi

needed=()
for package in "${PYTHON_PACKAGES[@]}"; do
    module=${package/pillow/PIL}
    module=${module//-/_}
    module=${module/pytest_xdist/xdist}
    "$venv" -c "import $module" 2>/dev/null || needed+=("$package")
done
if [[ ${#needed[@]} -gt 0 ]]; then
    say "installing ${needed[*]} (usually under a minute)"
    pip_install "${needed[@]}" || refuse "pip could not install ${needed[*]} into .venv"
fi

# The S3 tests talk to a server that verifies signatures. It brings many packages, so it lives in an
# environment of its own; without it those tests are skipped, with the reason.
if ! .venv-test/bin/python -c 'import boto3, flask, moto' 2>/dev/null; then
    say "installing moto and boto3 into .venv-test (usually under a minute)"
    if ! { "$python" -m venv .venv-test &&
        .venv-test/bin/python -m pip install --quiet --disable-pip-version-check \
            "moto[server]>=5,<6" "boto3>=1.34"; }; then
        say "no moto or boto3: the S3 tests will be skipped"
    fi
fi

# Installs what some tests compare with, unless it is there: modules, what they are for people, what is
# missed without them, packages.
install_for_tests() {
    local modules=$1 what=$2 without=$3
    shift 3
    .venv-test/bin/python -c "import $modules" 2>/dev/null && return
    say "installing $what into .venv-test (usually under a minute)"
    .venv-test/bin/python -m pip install --quiet --disable-pip-version-check "$@" || say "$without"
}

install_for_tests tokenizers tokenizers \
    "no tokenizers: ours are not compared with that library's" "tokenizers>=0.20,<1"
install_for_tests "playwright, axe_playwright_python" "playwright and axe" \
    "no playwright: the tests of the live page are skipped" \
    "playwright>=1.50,<2" "axe-playwright-python<1"
install_for_tests optuna optuna \
    "no optuna: the test that it reads our studies is skipped" "optuna>=4,<6"
install_for_tests tensorboard tensorboard \
    "no tensorboard: the test that it reads our event files is skipped" "tensorboard>=2.15,<3"
install_for_tests "opentelemetry.proto, opentelemetry.proto_json" "OpenTelemetry's readers of traces" \
    "no opentelemetry-proto-json: the tests that read our traces are skipped" \
    "opentelemetry-proto>=1.40,<2" "opentelemetry-proto-json>=0.66b0,<1"
install_for_tests "jwt, cryptography" PyJWT \
    "no pyjwt: the test that a server takes an issuer's tokens is skipped" "pyjwt[crypto]>=2.9,<3"
install_for_tests "schemathesis, openapi_spec_validator" schemathesis \
    "no schemathesis: no requests are made from the description of the library's server" \
    "schemathesis>=4.20,<5" "openapi-spec-validator>=0.7,<1"
# The small distribution of MLflow, without its server.
install_for_tests mlflow mlflow-skinny \
    "no mlflow: the test that it reads what we export is skipped" "mlflow-skinny>=3,<4"

# promtool checks what Prometheus would read, and Prometheus itself reads it. Debian's package would
# also start it as a service, so only the two programs are taken out of it.
if ! [[ -x .venv-test/bin/promtool && -x .venv-test/bin/prometheus ]] &&
    command -v apt-get >/dev/null; then
    say "getting promtool and prometheus into .venv-test (45 MB)"
    if ! (cd "$(mktemp -d)" && apt-get download -qq prometheus 2>/dev/null &&
        dpkg-deb -x prometheus_*.deb x &&
        mv x/usr/bin/promtool x/usr/bin/prometheus "$OLDPWD/.venv-test/bin/" && rm -rf "$PWD"); then
        say "no prometheus: the tests of metrics and alert rules are skipped"
    fi
fi

echo "$stamp" >"$stamp_file"
say "done"
