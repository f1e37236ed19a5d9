// SPDX-License-Identifier: MIT
// Threads, the stopwatch, storage, and how this was built.
#include <optional>
#include <sstream>
#include <thread>

#include "module.hpp"
#include "stage.hpp"

namespace binding {

namespace {

using diffseg::Profile;

/// A ThreadLimit between __enter__ and __exit__, both in one thread.
class LimitScope {
 public:
  explicit LimitScope(int threads) : threads_(threads) {}

  void enter() {
    if (limit_) throw std::invalid_argument("ThreadLimit: it is in use; make another one");
    limit_.emplace(threads_);
    thread_ = std::this_thread::get_id();
  }
  void exit() {
    if (!limit_ || thread_ != std::this_thread::get_id())
      throw std::invalid_argument("ThreadLimit: it ends in the thread that began it");
    limit_.reset();
  }

 private:
  int threads_;
  std::optional<diffseg::ThreadLimit> limit_;
  std::thread::id thread_;
};

/// A Profile that ends before its object does, and keeps what it heard.
class Listener {
 public:
  [[nodiscard]] std::vector<Profile::Row> rows() const {
    return profile_ ? profile_->rows() : rows_;
  }
  [[nodiscard]] std::string trace() const {
    if (!profile_) return trace_;
    std::ostringstream text;
    text.exceptions(std::ios::badbit);  // else it is empty where memory runs out
    profile_->write_trace(text);
    return text.str();
  }
  void stop() {
    rows_ = rows();
    trace_ = trace();
    profile_.reset();
  }

 private:
  std::optional<Profile> profile_{std::in_place};
  std::vector<Profile::Row> rows_;
  std::string trace_;
};

void add_threads(nb::module_& module) {
  nb::class_<LimitScope>(
      module, "ThreadLimit",
      "`with ThreadLimit(2):` at most so many threads for what this thread starts; "
      "limits nest, the lowest wins.")
      .def(nb::init<int>(), nb::arg("threads"))
      .def(
          "__enter__",
          [](nb::object self) {
            nb::inst_ptr<LimitScope>(self)->enter();
            return self;
          },
          nb::sig("def __enter__(self) -> ThreadLimit"))
      .def(
          "__exit__", [](LimitScope& self, const nb::args&) { self.exit(); },
          nb::sig("def __exit__(self, *args: object) -> None"));
  module.def("thread_count", &diffseg::detail::thread_count, "Threads that a call would use now.");
}

void add_profile(nb::module_& module) {
  using Row = Profile::Row;
  nb::class_<Row>(module, "ProfileRow", "All calls of one stage, added up.")
      .def_ro("stage", &Row::stage, "Its name.")
      .def_ro("depth", &Row::depth, "> 0: part of the stage above it.")
      .def_ro("calls", &Row::calls, "Finished scopes.")
      .def_ro("milliseconds", &Row::milliseconds, "Wall time.")
      .def_ro("bytes", &Row::bytes, "As told by the stage.")
      .def_ro("share", &Row::share, "Of the wall time of all rows of depth 0, 0..1.")
      .def("__repr__", [](const Row& row) {
        std::ostringstream text;
        text << '<' << row.stage << ": " << row.calls << " calls, " << row.milliseconds << " ms, "
             << row.bytes << " bytes>";
        return text.str();
      });
  nb::class_<Listener>(module, "Profile",
                       "Hears every stage of the process that begins and ends while it lives, or "
                       "within its `with` block.")
      .def(nb::init<>())
      .def("rows", &Listener::rows, "One row a stage, in the order in which the stages began.")
      .def("trace", &Listener::trace, "Chrome trace event format (JSON), for Perfetto.")
      .def("stop", &Listener::stop, "Hears no more, and keeps what it heard.")
      .def(
          "__enter__", [](nb::object self) { return self; },
          nb::sig("def __enter__(self) -> Profile"))
      .def(
          "__exit__", [](Listener& self, const nb::args&) { self.stop(); },
          nb::sig("def __exit__(self, *args: object) -> None"));
}

}  // namespace

void add_process(nb::module_& module) {
  add_threads(module);
  add_profile(module);
  nb::class_<SharedWorkspace>(
      module, "Workspace",
      "What stages work with and can use again in their next call: one call at "
      "a time, results do not depend on it.")
      .def(nb::init<>());
#ifdef __clang__
  module.attr("_compiler") = "clang " __clang_version__;
#else
  module.attr("_compiler") = "g++ " __VERSION__;
#endif
#ifdef _OPENMP
  module.attr("_openmp") = _OPENMP;
#else
  module.attr("_openmp") = 0;
#endif
  module.attr("_version") = DIFFSEG_VERSION;
}

}  // namespace binding
