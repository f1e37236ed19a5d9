# SPDX-License-Identifier: MIT
# Checks of the source text, as tests: layers always, format and lint with DIFFSEG_LINT.

add_test(NAME check.layers COMMAND "${CMAKE_COMMAND}"
  -DROOT=${PROJECT_SOURCE_DIR} -P "${PROJECT_SOURCE_DIR}/cmake/check_layers.cmake")
if(NOT DIFFSEG_LINT)
  return()
endif()

# The version decides the layout, so the one of Debian 12 goes first.
find_program(DIFFSEG_CLANG_FORMAT NAMES clang-format-14 clang-format)
find_program(DIFFSEG_CLANG_TIDY NAMES clang-tidy-14 clang-tidy)
if(NOT DIFFSEG_CLANG_FORMAT OR NOT DIFFSEG_CLANG_TIDY)
  message(FATAL_ERROR "diffseg: DIFFSEG_LINT (the preset dev) needs clang-format and clang-tidy; "
    "install clang-format clang-tidy libomp-14-dev")
endif()

add_test(NAME check.format COMMAND "${CMAKE_COMMAND}" -DROOT=${PROJECT_SOURCE_DIR}
  -DCLANG_FORMAT=${DIFFSEG_CLANG_FORMAT} -P "${PROJECT_SOURCE_DIR}/cmake/check_format.cmake")

# All headers in one unit, then the programs, which instantiate them; flags as they are compiled. Of
# the numbered examples one is enough: half a minute each goes into the same headers.
file(GLOB lint_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/02_*.cpp"
  "${PROJECT_SOURCE_DIR}/examples/*/*.cpp")
foreach(source IN LISTS DIFFSEG_ALL_HEADERS_UNIT lint_sources)
  get_filename_component(folder "${source}" DIRECTORY)
  get_filename_component(folder "${folder}" NAME)
  get_filename_component(name "${source}" NAME_WE)
  add_test(NAME check.lint.${folder}.${name} COMMAND "${DIFFSEG_CLANG_TIDY}" --quiet -p
    "${PROJECT_BINARY_DIR}" "--config-file=${PROJECT_SOURCE_DIR}/.clang-tidy" --extra-arg=-Wno-unused-command-line-argument
    "${source}")
endforeach()
