# SPDX-License-Identifier: MIT
# cmake -DCLANG=... -DINCLUDE=... -DHEADERS=... -DSOURCE=... -DPROGRAM=... -P libcxx.cmake: all
# headers compile with clang's own standard library, and a consumer's program runs.
cmake_minimum_required(VERSION 3.24)
file(WRITE "${PROGRAM}_try.cpp" "#include <version>\nint main() { return _LIBCPP_VERSION == 0; }\n")
set(flags -stdlib=libc++ -std=c++20 -O0)
if(CLANG)
  execute_process(COMMAND "${CLANG}" ${flags} "${PROGRAM}_try.cpp" -o "${PROGRAM}_try"
    RESULT_VARIABLE failed ERROR_QUIET)
endif()
if(NOT CLANG OR failed)
  message(STATUS "skipped: clang++ or its libc++ is missing: apt-get install clang libc++-14-dev libc++abi-14-dev")
  return()
endif()
foreach(folder IN LISTS EIGEN)
  list(APPEND flags -isystem "${folder}")
endforeach()
execute_process(COMMAND "${CLANG}" ${flags} -I "${INCLUDE}" -include "${HEADERS}" "${SOURCE}"
  -o "${PROGRAM}" -lz COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${PROGRAM}" COMMAND_ERROR_IS_FATAL ANY)
