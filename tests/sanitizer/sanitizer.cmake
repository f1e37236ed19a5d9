# SPDX-License-Identifier: MIT
# ThreadSanitizer is believed only when it sees OpenMP (through Archer) and finds a planted race.

diffseg_add_executable(sanitizer_race sanitizer/race.cpp)
add_test(NAME sanitizer.archer COMMAND sanitizer_race quiet)
set_tests_properties(sanitizer.archer PROPERTIES ENVIRONMENT ARCHER_OPTIONS=verbose=1
  PASS_REGULAR_EXPRESSION "Archer detected OpenMP application with TSan"
  FAIL_REGULAR_EXPRESSION "data race")
add_test(NAME sanitizer.race COMMAND sanitizer_race)
set_tests_properties(sanitizer.race PROPERTIES
  PASS_REGULAR_EXPRESSION "WARNING: ThreadSanitizer: data race")
