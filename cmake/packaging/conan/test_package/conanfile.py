# SPDX-License-Identifier: MIT
"""The consumer of the tests, built and run against the package."""
import os

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout

CONSUMER = os.path.join(*[".."] * 4, "tests", "consumer", "find_package")


class DiffsegTest(ConanFile):
    settings = "os", "compiler", "build_type", "arch"

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):
        cmake_layout(self, src_folder=CONSUMER)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.user_presets_path = False  # they would lie in the consumer's folder
        toolchain.cache_variables["VERSION"] = str(self.dependencies["diffseg"].ref.version)
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def test(self):
        if can_run(self):
            self.run(os.path.join(self.cpp.build.bindir, "consumer"), env="conanrun")
