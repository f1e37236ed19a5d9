# SPDX-License-Identifier: MIT
# An overlay port of the sources around it: vcpkg install diffseg --overlay-ports=cmake/packaging/vcpkg.
# A registry takes the archive of cmake/archive.cmake instead (vcpkg_download_distfile with its sum).
set(VCPKG_BUILD_TYPE release)  # header-only
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)

vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DDIFFSEG_BUILD_TESTS=OFF -DDIFFSEG_BUILD_EXAMPLES=OFF -DDIFFSEG_INSTALL=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME diffseg CONFIG_PATH share/cmake/diffseg)
vcpkg_fixup_pkgconfig()
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/doc")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage"
  DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
