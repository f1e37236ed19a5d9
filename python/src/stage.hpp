// SPDX-License-Identifier: MIT
// A stage in Python: its options are keywords and attributes, and it can be called, compared,
// copied, pickled and joined with |.
#pragma once

#include <functional>
#include <mutex>
#include <set>

#include "convert.hpp"

namespace binding {

/// Text that signatures may point to for ever.
inline const char* lasting(std::string text) {
  static std::set<std::string> texts;
  return texts.insert(std::move(text)).first->c_str();
}

/// A Workspace that refuses a second call at a time.
class SharedWorkspace {
 public:
  /// Calls work(workspace), without the GIL.
  template <class Work>
  auto use(const Work& work) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock())
      throw std::invalid_argument("Workspace: it serves one call at a time; make another one");
    return unlocked([&] { return work(workspace_); });
  }

 private:
  std::mutex mutex_;
  diffseg::Workspace workspace_;
};

/// Calls work(workspace) without the GIL, with one of its own where none is given.
template <class Work>
auto with_workspace(SharedWorkspace* workspace, const Work& work) {
  if (workspace != nullptr) return workspace->use(work);
  diffseg::Workspace own;
  return unlocked([&] { return work(own); });
}

/// Two callables, one after the other.
struct Pipeline {
  nb::object first;
  nb::object second;
};

/// `left | right`, for stages and other callables.
inline Pipeline joined(nb::object left, nb::object right) {
  for (const nb::object& side : {left, right}) {
    if (PyCallable_Check(side.ptr()) != 0) continue;
    throw nb::type_error(
        ("|: a stage or another callable must stand on both sides, got " + shown(side)).c_str());
  }
  return {std::move(left), std::move(right)};
}

/// `|` on both sides of a class.
template <class Class>
void add_pipe(Class& type) {
  type.def("__or__", &joined, nb::sig("def __or__(self, other: object) -> Pipeline"));
  type.def(
      "__ror__",
      [](nb::object self, nb::object other) { return joined(std::move(other), std::move(self)); },
      nb::sig("def __ror__(self, other: object) -> Pipeline"));
}

/// Binds an aggregate: option() for each field, then finish().
template <class T>
class Stage {
 public:
  Stage(nb::module_& module, const char* name, const char* doc) : type_(module, name, doc) {
    Convert<T>::name = name;
  }

  /// A field; its default is what T{} has.
  template <class Value>
  Stage& option(const char* name, Value T::*field, const char* doc) {
    const auto get = [field](const T& stage) { return Convert<Value>::write(stage.*field); };
    const auto set = [field, name](T& stage, nb::handle value) {
      read_or_refuse(Convert<T>::name, name, value, stage.*field);
    };
    options().push_back({name, Convert<Value>::text(), get, set});
    type_.def_prop_ro(
        name, get, doc,
        nb::sig(lasting(std::string("def ") + name + "(self, /) -> " + read_text<Value>())));
    return *this;
  }

  nb::class_<T>& type() { return type_; }

  /// Constructor, replace, repr, ==, pickling; `chain`: also |.
  Stage& finish(bool chain = true) {
    type_.def(
        "__init__", [](T* self, const nb::kwargs& values) { new (self) T(changed(T{}, values)); },
        nb::sig(lasting("def __init__(self" + keywords(true) + ") -> None")));
    for (const char* const name : {"replace", "__replace__"}) {
      type_.def(
          name, [](const T& self, const nb::kwargs& values) { return changed(self, values); },
          nb::sig(lasting(std::string("def ") + name + "(self" + keywords(false) + ") -> " +
                          Convert<T>::name)),
          "A copy with other options.");
    }
    type_.def("__repr__", [](const T& self) { return text_of(self); });
    type_.def(
        "__eq__",
        [](const T& self, nb::handle other) {
          return nb::isinstance<T>(other) && as_dict(self).equal(as_dict(*nb::inst_ptr<T>(other)));
        },
        nb::sig("def __eq__(self, other: object, /) -> bool"));
    type_.def("__hash__", [](const T& self) { return nb::hash(nb::str(text_of(self).c_str())); });
    type_.def("__reduce__", [](nb::handle self) {
      nb::object make = nb::module_::import_("functools").attr("partial");
      return nb::make_tuple(make(self.type(), **as_dict(*nb::inst_ptr<T>(self))), nb::make_tuple());
    });
    if (chain) add_pipe(type_);
    return *this;
  }

 private:
  struct Option {
    const char* name;
    std::string text;
    std::function<nb::object(const T&)> get;
    std::function<void(T&, nb::handle)> set;
  };

  static std::vector<Option>& options() {
    static std::vector<Option> all;
    return all;
  }

  /// What an attribute is read as: lists and pairs, where more may be given.
  template <class Value>
  static std::string read_text() {
    std::string text = Convert<Value>::text();
    if (std::is_same_v<Value, GridSize>) return "tuple[int, int]";
    const std::string any = "collections.abc.Iterable";
    return text.starts_with(any) ? "list" + text.substr(any.size()) : text;
  }

  /// ", *, floor: float = 1e-30": with the defaults, or `...` for what stays as it is.
  static std::string keywords(bool defaults) {
    std::string text = options().empty() ? "" : ", *";
    for (const Option& option : options()) {
      text += std::string(", ") + option.name + ": " + option.text + " = ";
      text += defaults ? nb::cast<std::string>(nb::repr(option.get(T{}))) : "...";
    }
    return text;
  }

  static T changed(T stage, const nb::kwargs& values) {
    for (const auto& [key, value] : values) {
      const auto name = nb::cast<std::string>(key);
      bool found = false;
      std::string known;
      for (const Option& option : options()) {
        known.append(known.empty() ? "" : ", ").append(option.name);
        if (name != option.name) continue;
        option.set(stage, value);
        found = true;
      }
      if (found) continue;
      throw nb::type_error(
          (Convert<T>::name + ": there is no option '" + name + "', there are " + known).c_str());
    }
    return stage;
  }

  static nb::dict as_dict(const T& stage) {
    nb::dict dict;
    for (const Option& option : options()) dict[option.name] = option.get(stage);
    return dict;
  }

  static std::string text_of(const T& stage) {
    std::string text = Convert<T>::name + "(";
    for (const Option& option : options()) {
      text.append(text.back() == '(' ? "" : ", ").append(option.name).append("=");
      text += nb::cast<std::string>(nb::repr(option.get(stage)));
    }
    return text + ")";
  }

  nb::class_<T> type_;
};

}  // namespace binding
