# SPDX-License-Identifier: MIT
# The README's code and commands, tried.

set(segment "")
if(TARGET segment)
  set(segment "$<TARGET_FILE:segment>")
endif()
add_test(NAME readme COMMAND "${CMAKE_COMMAND}" -DROOT=${PROJECT_SOURCE_DIR}
  -DCXX=${CMAKE_CXX_COMPILER} -DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/readme -DSEGMENT=${segment}
  "-DEIGEN=$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>"
  -P "${CMAKE_CURRENT_SOURCE_DIR}/readme/run.cmake")
set_tests_properties(readme PROPERTIES LABELS package SKIP_REGULAR_EXPRESSION "README.md is missing")
