# SPDX-License-Identifier: MIT
# ThreadSanitizer is believed only when it sees OpenMP (through Archer) and finds a planted race.

# libomp looks for Archer by name, and does not find it where distributions keep it.
execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-resource-dir
  OUTPUT_VARIABLE resources OUTPUT_STRIP_TRAILING_WHITESPACE)
find_library(DIFFSEG_ARCHER archer REQUIRED HINTS "${resources}/../..")
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/archer.cmake"
  CONTENT "set(ENV{OMP_TOOL_LIBRARIES} \"${DIFFSEG_ARCHER}\")\n")
set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES
  "${CMAKE_CURRENT_BINARY_DIR}/archer.cmake")

diffseg_add_executable(sanitizer_race sanitizer/race.cpp)
add_test(NAME sanitizer.archer COMMAND sanitizer_race quiet)
set_tests_properties(sanitizer.archer PROPERTIES LABELS stages ENVIRONMENT ARCHER_OPTIONS=verbose=1
  PASS_REGULAR_EXPRESSION "Archer detected OpenMP application with TSan"
  FAIL_REGULAR_EXPRESSION "data race")
add_test(NAME sanitizer.race COMMAND sanitizer_race)
set_tests_properties(sanitizer.race PROPERTIES LABELS stages
  PASS_REGULAR_EXPRESSION "WARNING: ThreadSanitizer: data race")

# What the gate has time for.
add_custom_target(threads DEPENDS sanitizer_race diffseg_test_core diffseg_test_data
  diffseg_test_math diffseg_test_photo diffseg_test_attention diffseg_test_merge
  diffseg_test_labels diffseg_test_segment)
