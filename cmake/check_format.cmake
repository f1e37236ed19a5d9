# SPDX-License-Identifier: MIT
# cmake -DROOT=... -DCLANG_FORMAT=... -P check_format.cmake
cmake_minimum_required(VERSION 3.24)

file(GLOB_RECURSE sources "${ROOT}/include/*.hpp" "${ROOT}/tests/*.[ch]pp" "${ROOT}/bench/*.[ch]pp"
  "${ROOT}/examples/*.[ch]pp" "${ROOT}/python/src/*.[ch]pp")
execute_process(COMMAND "${CLANG_FORMAT}" --style=file --dry-run -Werror ${sources}
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "not formatted: clang-format -i the files above")
endif()
list(LENGTH sources count)
message(STATUS "${count} files checked")
