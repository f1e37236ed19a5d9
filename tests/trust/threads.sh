#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# threads.sh [REPEATS]: threads.cpp with g++ and clang++ (libomp), at -O1 and -O3, run REPEATS times (100)
# for 1 .. 16 threads each; the labels that all print must be the same. Some minutes each; the exit
# status is 1 when a result differs. Needs Eigen's headers, g++, clang++ and libomp.
set -euo pipefail
cd "$(dirname "$0")/../.."
repeats="${1:-100}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
wrong=0
row() {  # NAME COMPILER FLAGS...
  local name="$1"
  shift
  printf '\n=== %s: %s\n' "$name" "$*"
  "$@" -std=c++20 -fopenmp -w -I include -I tests -isystem "${EIGEN_INCLUDE:-/usr/include/eigen3}" \
    tests/trust/threads.cpp -o "$folder/$name"
  OMP_WAIT_POLICY=passive "$folder/$name" --repeats "$repeats" | tee "$folder/$name.log" || wrong=1
  rm "$folder/$name"
}
row g++-O1 g++ -O1
row g++-O3-native g++ -O3 -march=native
row clang++-O1 clang++ -O1
row clang++-O3-native clang++ -O3 -march=native
printf '\n'
if [ "$(cat "$folder"/*.log | grep '^labels ' | sort -u | wc -l)" != 1 ]; then
  echo "the labels differ between compilers:"
  grep '^labels ' "$folder"/*.log
  wrong=1
fi
exit "$wrong"
