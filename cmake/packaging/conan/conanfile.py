# SPDX-License-Identifier: MIT
"""conan create cmake/packaging/conan: the package diffseg from the sources around this file.

Eigen comes from Conan, or from the system where the profile says so:
[platform_requires]
eigen/3.4.0
"""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain
from conan.tools.files import copy, load

SOURCES = ("CMakeLists.txt", "LICENSE", "cmake/*", "examples/common/compiled/*", "include/*")


class DiffsegRecipe(ConanFile):
    name = "diffseg"
    license = "MIT"
    description = "Segmentation masks from the self-attention of a model (DiffSeg), header-only"
    topics = ("segmentation", "self-attention", "header-only")
    package_type = "header-library"
    settings = "os", "compiler", "build_type", "arch"
    options = {"with_npz": [True, False], "with_safetensors": [True, False]}
    default_options = {"with_npz": False, "with_safetensors": False}
    no_copy_source = True

    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        text = load(self, os.path.join(self._root(), "CMakeLists.txt"))
        self.version = re.search(r"project\(diffseg VERSION ([0-9.]+)", text).group(1)

    def export_sources(self):
        for pattern in SOURCES:
            copy(self, pattern, self._root(), self.export_sources_folder,
                 excludes="cmake/packaging/*")

    def requirements(self):
        self.requires("eigen/[>=3.4 <6]", transitive_headers=True)
        if self.options.with_npz:
            self.requires("zlib/[>=1.2.11 <2]", transitive_headers=True, transitive_libs=True)
        if self.options.with_safetensors:
            self.requires("nlohmann_json/[>=3.10 <4]", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "EXAMPLES", "BENCH"):
            toolchain.cache_variables[f"DIFFSEG_BUILD_{part}"] = False
        toolchain.user_presets_path = False
        toolchain.generate()

    def build(self):
        CMake(self).configure()  # nothing is compiled

    def package(self):
        CMake(self).install()

    def package_info(self):
        # The installed package config knows OpenMP and the components; CMakeDeps would not.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("share", "cmake", "diffseg")]
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
