# SPDX-License-Identifier: MIT
# Targets for file formats that need another library, where that was found: diffseg::npz for
# io/npz_deflate.hpp (zlib), diffseg::safetensors for io/safetensors.hpp (nlohmann-json). Used by the
# project itself and by its installed package.

if(TARGET ZLIB::ZLIB AND NOT TARGET diffseg::npz)
  add_library(diffseg::npz INTERFACE IMPORTED GLOBAL)
  target_link_libraries(diffseg::npz INTERFACE diffseg::diffseg ZLIB::ZLIB)
endif()
if(TARGET nlohmann_json::nlohmann_json AND NOT TARGET diffseg::safetensors)
  add_library(diffseg::safetensors INTERFACE IMPORTED GLOBAL)
  target_link_libraries(diffseg::safetensors INTERFACE
    diffseg::diffseg nlohmann_json::nlohmann_json)
endif()
