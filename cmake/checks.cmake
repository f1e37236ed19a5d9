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

# All headers in one unit, an example that instantiates them, then the programs, a folder a unit: most of
# the time goes into the headers of others, which every unit includes.
file(GLOB example CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/02_*.cpp")
set(tidy "${DIFFSEG_CLANG_TIDY}" --quiet "--config-file=${PROJECT_SOURCE_DIR}/.clang-tidy")
foreach(source IN LISTS DIFFSEG_ALL_HEADERS_UNIT example)
  get_filename_component(name "${source}" NAME_WE)
  add_test(NAME check.lint.${name} COMMAND ${tidy} -p "${PROJECT_BINARY_DIR}"
    --extra-arg=-Wno-unused-command-line-argument "${source}")
endforeach()
set(examples "${PROJECT_SOURCE_DIR}/examples")
foreach(folder IN ITEMS common evaluate segment segment/formats)
  file(GLOB sources CONFIGURE_DEPENDS "${examples}/${folder}/*.cpp")
  string(REPLACE "/" "_" name "${folder}")
  set(text "")
  foreach(source IN LISTS sources)
    string(APPEND text "#include \"${source}\"  // NOLINT\n")
  endforeach()
  set(unit "${PROJECT_BINARY_DIR}/lint/${name}.cpp")
  file(CONFIGURE OUTPUT "${unit}" CONTENT "${text}" @ONLY)
  add_test(NAME check.lint.programs.${name} COMMAND ${tidy} "--header-filter=/(include/diffseg|examples)/"
    "${unit}" -- -std=c++20 -fopenmp -w -DDIFFSEG_WITH_ZLIB=1 "-I${PROJECT_SOURCE_DIR}/include"
    "-I${examples}/common" "-I${examples}/segment" "-I${examples}/evaluate"
    "-isystem$<JOIN:$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>, -isystem>")
  set_tests_properties(check.lint.programs.${name} PROPERTIES COST 90)
endforeach()
