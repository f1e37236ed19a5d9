// SPDX-License-Identifier: MIT
// How numbers, grids, lists and choices look in Python, in both directions.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <compiled/float.hpp>
#include <cstdint>
#include <diffseg/labels/evaluate.hpp>
#include <string>
#include <utility>
#include <vector>

namespace binding {

namespace nb = nanobind;
using diffseg::GridSize;
using diffseg::Index;

/// Runs `work` while Python runs other threads.
template <class Work>
auto unlocked(const Work& work) {
  const nb::gil_scoped_release release;
  return work();
}

/// repr(object), at most some 60 letters.
std::string shown(nb::handle object);

/// The words of a choice, in the order of its values from 0 on.
template <class Choice>
inline constexpr std::array<const char*, 0> words{};
template <>
inline constexpr std::array words<diffseg::Compare::Placement>{"cell_centred", "published"};
template <>
inline constexpr std::array words<diffseg::Assign::Ids>{"compact", "reference"};
template <>
inline constexpr std::array words<diffseg::RefineProjected::Mode>{"passes", "minibatch"};
template <>
inline constexpr std::array words<diffseg::Name::Policy>{"majority", "mean", "reference_median"};
template <>
inline constexpr std::array words<diffseg::Unmatched>{"ignored", "false_positives"};
template <>
inline constexpr std::array words<diffseg::LayerKind>{"probabilities", "scores", "queries_keys",
                                                      "sparse"};
template <>
inline constexpr std::array words<diffseg::ElementType>{"float16", "bfloat16", "float32",
                                                        "float64"};

/// How a T looks in Python: `text` in signatures; read() is false for what is no T; write(). Here:
/// a class that is bound itself.
template <class T, class = void>
struct Convert {
  static inline std::string name = {};  ///< as it is bound
  static std::string text() { return name; }
  static bool read(nb::handle from, T& to) {
    if (!nb::isinstance<T>(from)) return false;
    to = *nb::inst_ptr<T>(from);
    return true;
  }
  static nb::object write(const T& from) { return nb::cast(from); }
};

template <>
struct Convert<bool> {
  static std::string text() { return "bool"; }
  static bool read(nb::handle from, bool& to) {
    to = from.ptr() == Py_True;
    return to || from.ptr() == Py_False;
  }
  static nb::object write(bool from) { return nb::bool_(from); }
};

/// Whole numbers, also numpy's; no bool, and none that does not fit.
template <class Number>
struct Convert<Number, std::enable_if_t<std::is_integral_v<Number>>> {
  static std::string text() { return "int"; }
  static bool read(nb::handle from, Number& to) {
    if (PyBool_Check(from.ptr())) return false;
    const nb::object whole = nb::steal(PyNumber_Index(from.ptr()));
    if (!whole.is_valid() || !nb::try_cast(whole, to)) {
      PyErr_Clear();
      return false;
    }
    return true;
  }
  static nb::object write(Number from) { return nb::int_(from); }
};

template <>
struct Convert<double> {
  static std::string text() { return "float"; }
  static bool read(nb::handle from, double& to) {
    to = PyFloat_AsDouble(from.ptr());
    if (PyErr_Occurred() == nullptr) return true;
    PyErr_Clear();
    return false;
  }
  static nb::object write(double from) { return nb::float_(from); }
};

template <>
struct Convert<std::string> {
  static std::string text() { return "str"; }
  static bool read(nb::handle from, std::string& to) { return nb::try_cast(from, to); }
  static nb::object write(const std::string& from) { return nb::cast(from); }
};

/// Any iterable but a text.
template <class T>
struct Convert<std::vector<T>> {
  static std::string text() { return "collections.abc.Iterable[" + Convert<T>::text() + "]"; }
  static bool read(nb::handle from, std::vector<T>& to) {
    const nb::object iterator =
        PyUnicode_Check(from.ptr()) ? nb::object() : nb::steal(PyObject_GetIter(from.ptr()));
    if (!iterator.is_valid()) {
      PyErr_Clear();
      return false;
    }
    std::vector<T> result;
    while (PyObject* const item = PyIter_Next(iterator.ptr())) {
      const nb::object kept = nb::steal(item);
      if (!Convert<T>::read(kept, result.emplace_back())) return false;
    }
    if (PyErr_Occurred() != nullptr) throw nb::python_error();
    to = std::move(result);
    return true;
  }
  static nb::object write(const std::vector<T>& from) {
    nb::list list;
    for (const T& item : from) list.append(Convert<T>::write(item));
    return list;
  }
};

/// (height, width), or one number for a square.
template <>
struct Convert<GridSize> {
  static std::string text() { return "int | tuple[int, int]"; }
  static bool read(nb::handle from, GridSize& to) {
    Index side = 0;
    if (Convert<Index>::read(from, side)) {
      to = {side, side};
      return true;
    }
    std::vector<Index> sides;
    if (!Convert<std::vector<Index>>::read(from, sides) || sides.size() != 2) return false;
    to = {sides[0], sides[1]};
    return true;
  }
  static nb::object write(GridSize from) { return nb::make_tuple(from.height, from.width); }
};

/// (word, first column, column behind the last).
template <>
struct Convert<diffseg::Name::Noun> {
  static std::string text() { return "tuple[str, int, int]"; }
  static bool read(nb::handle from, diffseg::Name::Noun& to) {
    if (PyUnicode_Check(from.ptr()) || PySequence_Size(from.ptr()) != 3) {
      PyErr_Clear();
      return false;
    }
    return Convert<std::string>::read(from[0], to.word) &&
           Convert<Index>::read(from[1], to.begin) && Convert<Index>::read(from[2], to.end);
  }
  static nb::object write(const diffseg::Name::Noun& from) {
    return nb::make_tuple(from.word, from.begin, from.end);
  }
};

/// A choice is one of some words.
template <class Choice>
struct Convert<Choice, std::enable_if_t<std::is_enum_v<Choice>>> {
  static std::string text() {
    std::string result = "typing.Literal[";
    for (const char* const word : words<Choice>) {
      result.append(result.back() == '[' ? "\"" : ", \"").append(word).append("\"");
    }
    return result + "]";
  }
  static bool read(nb::handle from, Choice& to) {
    std::string word;
    if (!nb::try_cast(from, word)) return false;
    for (std::size_t i = 0; i < words<Choice>.size(); ++i) {
      if (word == words<Choice>[i]) {
        to = static_cast<Choice>(i);
        return true;
      }
    }
    return false;
  }
  static nb::object write(Choice from) {
    return nb::str(words<Choice>[static_cast<std::size_t>(from)]);
  }
};

/// A type in words, out of how signatures write it.
std::string in_words(std::string text);

/// Refuses what read() refuses: "WHERE: NAME must be ..., got VALUE"; ValueError for a wrong word,
/// else TypeError.
template <class T>
void read_or_refuse(const std::string& where, const std::string& name, nb::handle from, T& to) {
  if (Convert<T>::read(from, to)) return;
  const std::string text =
      where + ": " + name + " must be " + in_words(Convert<T>::text()) + ", got " + shown(from);
  if (std::is_enum_v<T> && PyUnicode_Check(from.ptr())) throw nb::value_error(text.c_str());
  throw nb::type_error(text.c_str());
}

/// The same for an argument that may be None, which leaves `to` as it is.
template <class T>
void read_optional(const std::string& where, const std::string& name, nb::handle from, T& to) {
  if (!from.is_none()) read_or_refuse(where, name, from, to);
}

}  // namespace binding
