# SPDX-License-Identifier: MIT
# Counts the instructions of every stage for one small image (instructions.cpp) with callgrind and
# compares them with instructions.txt; clocks are noisy, these repeat to the last digit. An error
# when one has changed by more than a tenth, in either direction.
#   cmake -P bench/instructions/check.cmake              compare
#   cmake -DUPDATE=ON -P bench/instructions/check.cmake  write instructions.txt anew
# Optional: -DCXX=compiler -DEIGEN=folder -DSCRATCH=folder. Needs valgrind.
cmake_minimum_required(VERSION 3.24)

get_filename_component(root "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
set(file "${CMAKE_CURRENT_LIST_DIR}/instructions.txt")
set(stages aggregate compare merge assign aggregate_f16 aggregate_products)
foreach(pair CXX=g++ EIGEN=/usr/include/eigen3 "SCRATCH=${root}/build/instructions")
  string(REGEX MATCH "^([A-Z]+)=(.*)$" pair "${pair}")
  if(NOT DEFINED ${CMAKE_MATCH_1})
    set(${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
  endif()
endforeach()
find_program(VALGRIND valgrind)
if(NOT VALGRIND)
  message(FATAL_ERROR "instructions: valgrind is missing; install it")
endif()
file(REMOVE_RECURSE "${SCRATCH}")
file(MAKE_DIRECTORY "${SCRATCH}")

# Without -march=native, so that machines compare.
execute_process(COMMAND "${CXX}" -std=c++20 -O2 -DNDEBUG -fopenmp -isystem "${EIGEN}"
  -I "${root}/include" "${CMAKE_CURRENT_LIST_DIR}/instructions.cpp" -o "${SCRATCH}/instructions"
  COMMAND_ERROR_IS_FATAL ANY)
set(options --tool=callgrind "--callgrind-out-file=${SCRATCH}/counts")
foreach(stage IN LISTS stages)
  list(APPEND options --zero-before=count_${stage} --dump-after=count_${stage})
endforeach()
execute_process(COMMAND "${VALGRIND}" -q ${options} "${SCRATCH}/instructions"
  OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "built with [^\n]*" built "${output}")
message("${output}")

file(GLOB dumps "${SCRATCH}/counts.*")
foreach(dump IN LISTS dumps)
  file(READ "${dump}" head LIMIT 2000)
  if(head MATCHES "--dump-after=count_([a-z0-9_]+)\n.*\nsummary: ([0-9]+)")
    set(count_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
  endif()
endforeach()
math(EXPR count_segment "${count_aggregate} + ${count_compare} + ${count_merge} + ${count_assign}")
list(PREPEND stages segment)

if(UPDATE)
  set(text "# Written by check.cmake; segment is the sum of its four stages.\n${built}\n")
  foreach(stage IN LISTS stages)
    string(APPEND text "${stage} ${count_${stage}}\n")
  endforeach()
  file(WRITE "${file}" "${text}")
endif()

# Hundredths of a percent, as CMake counts in integers.
function(print_change stage now before)
  math(EXPR change "(${now} - ${before}) * 10000 / ${before}")
  set(sign "+")
  set(size ${change})
  if(change LESS 0)
    set(sign "-")
    math(EXPR size "-(${change})")
  endif()
  math(EXPR whole "${size} / 100")
  math(EXPR rest "${size} % 100 + 100")
  string(SUBSTRING "${rest}" 1 2 rest)
  message("  ${stage}: ${now} instructions, ${sign}${whole}.${rest} %")
  if(size GREATER 1000)
    set(changed "${changed} ${stage}" PARENT_SCOPE)
  endif()
endfunction()

file(READ "${file}" known)
set(changed "")
foreach(stage IN LISTS stages)
  if(NOT known MATCHES "\n${stage} ([0-9]+)\n")
    message(FATAL_ERROR "instructions: ${stage} is missing in ${file}; count with -DUPDATE=ON")
  endif()
  print_change(${stage} ${count_${stage}} ${CMAKE_MATCH_1})
endforeach()
string(FIND "${known}" "\n${built}\n" same)
if(same EQUAL -1)
  message("  told only: ${file} was counted with another compiler, Eigen or vector unit")
elseif(changed)
  message(FATAL_ERROR "instructions:${changed} changed by more than a tenth; if that is meant (or "
    "better), cmake -DUPDATE=ON -P bench/instructions/check.cmake and say why in the commit")
endif()
