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

# One unit with all headers, then the programs, which instantiate them.
set(lint_unit "${CMAKE_CURRENT_BINARY_DIR}/lint/headers.cpp")
set(lint_text "")
foreach(header IN LISTS DIFFSEG_HEADERS)
  file(RELATIVE_PATH header "${PROJECT_SOURCE_DIR}/include" "${header}")
  string(APPEND lint_text "#include <${header}>\n")
endforeach()
file(CONFIGURE OUTPUT "${lint_unit}" CONTENT "${lint_text}")
foreach(source IN LISTS lint_unit DIFFSEG_LINT_SOURCES)
  get_filename_component(name "${source}" NAME_WE)
  add_test(NAME check.lint.${name} COMMAND "${DIFFSEG_CLANG_TIDY}" --quiet
    "--config-file=${PROJECT_SOURCE_DIR}/.clang-tidy" "${source}" -- -std=c++20
    "$<$<BOOL:${DIFFSEG_OPENMP}>:-fopenmp>"
    "-I${PROJECT_SOURCE_DIR}/include"
    "-isystem$<JOIN:$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>,;-isystem>"
    COMMAND_EXPAND_LISTS)
endforeach()
