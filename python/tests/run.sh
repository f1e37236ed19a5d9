#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# python/tests/run.sh [--torch] [--ray] [--variants LIST] [PYTEST_ARGUMENT ...]: builds the package, installs it
# into a virtual environment under build/ and runs its tests there. --torch: the tests that need torch
# too (6 GB from PyPI, with its CUDA libraries). --ray: those that need Ray. --variants baseline,v3,v4: all three builds.
# PYTHON names another interpreter.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-$(PATH=/usr/bin:$PATH command -v python3)}
variants=baseline
torch=
ray=
while [ $# -gt 0 ]; do
  case $1 in
    --torch) torch=1; shift ;;
    --ray) ray=1; shift ;;
    --variants) variants=${2//,/;}; shift 2 ;;
    *) break ;;
  esac
done
tag=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
folder=${DIFFSEG_PYTHON_VENV:-$PWD/build/python/venv-$tag}
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
# pip asks its registry even where all is there.
if ! cmp -s python/tests/requirements.txt "$folder/installed.txt"; then
  "$folder/bin/pip" install -q --disable-pip-version-check -r python/tests/requirements.txt
  cp python/tests/requirements.txt "$folder/installed.txt"
fi
if [ -n "$torch" ] && ! "$folder/bin/python" -c 'import torch, diffusers, transformers' 2>/dev/null; then
  "$folder/bin/pip" install -q --disable-pip-version-check torch diffusers transformers safetensors
fi
if [ -n "$ray" ] && ! "$folder/bin/python" -c 'import ray.data' 2>/dev/null; then
  "$folder/bin/pip" install -q --disable-pip-version-check 'ray[data]>=2.10'
fi
PATH="$folder/bin:$PATH" "$folder/bin/pip" install -q --disable-pip-version-check --no-build-isolation --no-deps \
  "--config-settings=cmake.define.DIFFSEG_PYTHON_VARIANTS=$variants" .
export OMP_WAIT_POLICY=passive PYTHONDONTWRITEBYTECODE=1
exec "$folder/bin/python" -m pytest -p no:cacheprovider python/tests "$@"
