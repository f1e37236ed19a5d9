# SPDX-License-Identifier: MIT
# A few seconds of the scripts that let memory and disks fail below the programs; all of them by hand:
# python3 tests/trust/NAME.py --help. A sanitizer would stand in for what they stand in for.
if(TARGET segment AND DIFFSEG_PYTHON AND DIFFSEG_PLAIN_GLIBC)
  add_test(NAME trust.out_of_memory COMMAND "${DIFFSEG_PYTHON}"
    "${CMAKE_CURRENT_LIST_DIR}/out_of_memory.py" --quick $<TARGET_FILE:segment>
    $<TARGET_FILE:evaluate> $<TARGET_FILE:make_attention>)
  add_test(NAME trust.faults COMMAND "${DIFFSEG_PYTHON}" "${CMAKE_CURRENT_LIST_DIR}/faults.py" --quick
    $<TARGET_FILE:segment> $<TARGET_FILE:evaluate>)
  set_tests_properties(trust.out_of_memory trust.faults PROPERTIES LABELS long COST 100
    ENVIRONMENT "CXX=${CMAKE_CXX_COMPILER}")
endif()
