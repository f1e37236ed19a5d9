# SPDX-License-Identifier: MIT
# diffseg_pictures: the libraries that read and write pictures for the programs; none is for the headers.

find_package(JPEG)
find_package(PNG)
# CMake knows neither of these.
find_path(DIFFSEG_WEBP_DIR webp/demux.h)
find_library(DIFFSEG_WEBP webp)
find_library(DIFFSEG_WEBPDEMUX webpdemux)
find_path(DIFFSEG_EXIF_DIR libexif/exif-data.h)
find_library(DIFFSEG_EXIF exif)

add_library(diffseg_pictures INTERFACE)
foreach(name IN ITEMS JPEG PNG DIFFSEG_WEBP DIFFSEG_EXIF)
  if(name MATCHES "DIFFSEG" AND ${name} AND ${name}_DIR)
    target_include_directories(diffseg_pictures SYSTEM INTERFACE "${${name}_DIR}")
    target_link_libraries(diffseg_pictures INTERFACE "${${name}}")
  elseif(TARGET ${name}::${name})
    target_link_libraries(diffseg_pictures INTERFACE ${name}::${name})
  else()
    string(REPLACE "DIFFSEG_" "" name "${name}")
    list(APPEND missing "lib${name}")
  endif()
endforeach()
if(missing)
  list(JOIN missing ", " missing)
  string(TOLOWER "${missing}" missing)
  message(FATAL_ERROR "diffseg: ${missing} missing for the programs; install them (on Debian: "
    "apt-get install libjpeg62-turbo-dev libpng-dev libwebp-dev libexif-dev), "
    "or configure with -DDIFFSEG_BUILD_EXAMPLES=OFF")
endif()
target_link_libraries(diffseg_pictures INTERFACE "${DIFFSEG_WEBPDEMUX}")
