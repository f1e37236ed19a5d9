# SPDX-License-Identifier: MIT
# The code and commands of the pages, tried.

set(segment "")
if(TARGET segment)
  set(segment "$<TARGET_FILE:segment>")
endif()
foreach(page README.md CONTRIBUTING.md bench/README.md docs/evaluate.md docs/formats.md
    docs/many_photos.md docs/measured.md docs/performance.md docs/photos.md docs/python.md docs/real_attention.md docs/using.md)
  set(name readme)
  if(NOT page STREQUAL "README.md")
    get_filename_component(name "${page}" NAME_WE)
    string(PREPEND name "docs.")
  endif()
  add_test(NAME ${name} COMMAND "${CMAKE_COMMAND}" -DROOT=${PROJECT_SOURCE_DIR} -DPAGE=${page}
    -DCXX=${CMAKE_CXX_COMPILER} -DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/${name} -DSEGMENT=${segment}
    "-DEIGEN=$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>"
    -P "${CMAKE_CURRENT_SOURCE_DIR}/readme/run.cmake")
  set_tests_properties(${name} PROPERTIES LABELS package
    SKIP_REGULAR_EXPRESSION "${page} is missing")
endforeach()
