# SPDX-License-Identifier: MIT
# What a release consists of: one version, the installed files, the port, an archive that can be repeated.
# Conan's recipe and the citation need PyPI: tests/trust/release.py.

set(release "${CMAKE_CURRENT_SOURCE_DIR}/release")
add_test(NAME release.version COMMAND "${CMAKE_COMMAND}" -DROOT=${PROJECT_SOURCE_DIR}
  -DVERSION=${PROJECT_VERSION} -P "${release}/version.cmake")
add_test(NAME release.archive COMMAND "${CMAKE_COMMAND}" -DSOURCE=${PROJECT_SOURCE_DIR}
  -DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/release/archive -P "${release}/archive.cmake")
add_test(NAME release.vcpkg COMMAND "${CMAKE_COMMAND}" -DSOURCE=${PROJECT_SOURCE_DIR}
  -DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/release/vcpkg -DCXX=${CMAKE_CXX_COMPILER}
  -DEIGEN_CONFIG=${Eigen3_DIR} -P "${release}/vcpkg.cmake")
set_tests_properties(release.version release.archive release.vcpkg PROPERTIES LABELS package)
set_tests_properties(release.archive PROPERTIES SKIP_REGULAR_EXPRESSION "is missing")
if(DIFFSEG_INSTALL)
  add_test(NAME release.installed COMMAND "${CMAKE_COMMAND}" -DSOURCE=${PROJECT_SOURCE_DIR}
    -DPREFIX=${CMAKE_CURRENT_BINARY_DIR}/consumer/moved -P "${release}/installed.cmake")
  set_tests_properties(release.installed PROPERTIES LABELS package FIXTURES_REQUIRED prefix)
endif()
