// SPDX-License-Identifier: MIT
// The nouns behind the layers: numpy sees their numbers where they lie, and nobody changes them.
#include "arrays.hpp"
#include "module.hpp"

namespace binding {

namespace {

using diffseg::detail::message;
using diffseg::detail::require;
using Image = diffseg::Image<float>;
using Maps = diffseg::Maps<float>;
using Similarities = diffseg::Similarities<float>;
using Proposals = diffseg::Proposals<float>;
using CrossMaps = diffseg::CrossMaps<float>;
using diffseg::Labels;
using diffseg::Names;

/// What pickle and copy make an object from: its class, called with these.
template <class... Arguments>
nb::tuple made_by(nb::handle self, Arguments&&... arguments) {
  return nb::make_tuple(self.type(), nb::make_tuple(std::forward<Arguments>(arguments)...));
}

template <class T>
const T& of(nb::handle self) {
  return *nb::inst_ptr<T>(self);
}

nb::object grid_of(GridSize grid) {
  return Convert<GridSize>::write(grid);
}

View<float, 3> image_values(nb::handle self) {
  const auto& image = of<Image>(self);
  return view_of<3>(image.values.data(), {image.size.height, image.size.width, image.channels},
                    self);
}

View<float, 2> map_rows(nb::handle self) {
  const auto& rows = of<Maps>(self).rows();
  return view_of<2>(rows.data(), {rows.rows(), rows.cols()}, self);
}

void add_image(nb::module_& module) {
  nb::class_<Image>(module, "Image",
                    "A photo: [height, width, channels] float32, sRGB-encoded, 0..1, 1 or 3 "
                    "channels. Made from an array, whole numbers scaled to 0..1; copied.")
      .def(
          "__init__", [](Image* self, nb::handle photo) { new (self) Image(image_of(photo)); },
          nb::arg("photo").none(), nb::sig("def __init__(self, photo: object) -> None"))
      .def_prop_ro(
          "size", [](const Image& self) { return grid_of(self.size); },
          nb::sig("def size(self, /) -> tuple[int, int]"), "Pixels.")
      .def_ro("channels", &Image::channels, "1 (grey) or 3 (red, green, blue).")
      .def_prop_ro("values", &image_values, nb::rv_policy::reference,
                   "[height, width, channels], a view.")
      .def("__repr__",
           [](const Image& self) {
             return message("<Image: ", self.size.height, " x ", self.size.width, " x ",
                            self.channels, ">");
           })
      .def("__reduce__", [](nb::handle self) { return made_by(self, self.attr("values")); });
}

void add_maps(nb::module_& module) {
  nb::class_<Maps>(
      module, "Maps",
      "One probability map for each of the T cells of a grid: rows [T, T], every number "
      "positive, every row of sum 1. Made from an array, copied.")
      .def(
          "__init__",
          [](Maps* self, nb::handle grid, nb::handle rows) {
            GridSize size;
            read_or_refuse("Maps", "grid", grid, size);
            new (self) Maps(size, matrix_of(rows, "Maps"));
          },
          nb::arg("grid"), nb::arg("rows"),
          nb::sig("def __init__(self, grid: int | tuple[int, int], rows: object) -> None"))
      .def_prop_ro(
          "grid", [](const Maps& self) { return grid_of(self.grid()); },
          nb::sig("def grid(self, /) -> tuple[int, int]"), "Of the T cells.")
      .def_prop_ro("tokens", &Maps::tokens, "T.")
      .def_prop_ro("rows", &map_rows, nb::rv_policy::reference, "[T, T] float32, a view.")
      .def("__repr__",
           [](const Maps& self) {
             return message("<Maps: ", self.grid().height, " x ", self.grid().width, " cells>");
           })
      .def("__reduce__",
           [](nb::handle self) { return made_by(self, self.attr("grid"), self.attr("rows")); });
}

void make_similarities(Similarities* self, const Maps& maps, nb::handle anchors, double ceiling,
                       nb::handle indptr, nb::handle indices, nb::handle data, Index evaluated) {
  Similarities made;
  made.maps = maps;
  made.anchors = numbers_of<Index>(anchors, "Similarities");
  made.ceiling = ceiling;
  made.evaluated = evaluated;
  const auto starts = numbers_of<std::int32_t>(indptr, "Similarities");
  const auto columns = numbers_of<std::int32_t>(indices, "Similarities");
  const auto values = numbers_of<double>(data, "Similarities");
  const Index tokens = maps.tokens();
  require(starts.size() == made.anchors.size() + 1 && starts.front() == 0 &&
              static_cast<std::size_t>(starts.back()) == values.size() &&
              values.size() == columns.size() && std::is_sorted(starts.begin(), starts.end()),
          "Similarities: indptr must rise from 0 to the number of divergences, one for each anchor "
          "and the end");
  made.divergences.resize(static_cast<Index>(made.anchors.size()), tokens);
  made.divergences.reserve(static_cast<Index>(values.size()));
  for (std::size_t row = 0; row + 1 < starts.size(); ++row) {
    made.divergences.startVec(static_cast<Index>(row));
    for (auto i = static_cast<std::size_t>(starts[row]);
         i < static_cast<std::size_t>(starts[row + 1]); ++i) {
      const bool rising = i == static_cast<std::size_t>(starts[row]) || columns[i] > columns[i - 1];
      require(columns[i] >= 0 && columns[i] < tokens && rising,
              "Similarities: indices must rise within 0 .. ", tokens - 1, ", got ", columns[i]);
      made.divergences.insertBack(static_cast<Index>(row), columns[i]) =
          static_cast<float>(values[i]);
    }
  }
  made.divergences.finalize();
  made.check("Similarities");
  new (self) Similarities(std::move(made));
}

void add_similarities(nb::module_& module) {
  nb::class_<Similarities> type(module, "Similarities",
                                "Sparse divergences [M, T] of M anchors against all T maps, those "
                                "below a ceiling: compressed "
                                "rows as scipy.sparse.csr_array((data, indices, indptr), shape) "
                                "takes them, all of them views.");
  type.def(
      "__init__", &make_similarities, nb::arg("maps"), nb::arg("anchors"), nb::arg("ceiling"),
      nb::arg("indptr"), nb::arg("indices"), nb::arg("data"), nb::arg("evaluated") = 0,
      nb::sig("def __init__(self, maps: Maps, anchors: collections.abc.Iterable[int], ceiling: "
              "float, indptr: collections.abc.Iterable[int], indices: "
              "collections.abc.Iterable[int], data: collections.abc.Iterable[float], "
              "evaluated: int = 0) -> None"));
  type.def_prop_ro(
      "maps", [](const Similarities& self) { return self.maps; }, "What was compared.");
  type.def_prop_ro(
      "anchors",
      [](nb::handle self) {
        const auto& anchors = of<Similarities>(self).anchors;
        return view_of<1>(anchors.data(), {static_cast<Index>(anchors.size())}, self);
      },
      nb::rv_policy::reference, "[M] cell of each anchor, a view.");
  type.def_ro("ceiling", &Similarities::ceiling, "Nats; every pair below it is stored.");
  type.def_ro("evaluated", &Similarities::evaluated, "Pairs that needed a full divergence.");
  type.def_prop_ro(
      "shape",
      [](const Similarities& self) {
        return nb::make_tuple(self.divergences.rows(), self.divergences.cols());
      },
      nb::sig("def shape(self, /) -> tuple[int, int]"), "(M, T).");
  type.def_prop_ro(
      "indptr",
      [](nb::handle self) {
        const auto& matrix = of<Similarities>(self).divergences;
        return view_of<1>(matrix.outerIndexPtr(), {matrix.rows() + 1}, self);
      },
      nb::rv_policy::reference, "[M + 1] where each row begins, a view.");
  type.def_prop_ro(
      "indices",
      [](nb::handle self) {
        const auto& matrix = of<Similarities>(self).divergences;
        return view_of<1>(matrix.innerIndexPtr(), {matrix.nonZeros()}, self);
      },
      nb::rv_policy::reference, "[pairs] map of each divergence, a view.");
  type.def_prop_ro(
      "data",
      [](nb::handle self) {
        const auto& matrix = of<Similarities>(self).divergences;
        return view_of<1>(matrix.valuePtr(), {matrix.nonZeros()}, self);
      },
      nb::rv_policy::reference, "[pairs] divergences, nats, a view.");
  type.def("__repr__", [](const Similarities& self) {
    return message("<Similarities: ", self.divergences.nonZeros(), " of ", self.divergences.rows(),
                   " x ", self.divergences.cols(), " pairs below ", self.ceiling, ">");
  });
  type.def("__reduce__", [](nb::handle self) {
    return made_by(self, self.attr("maps"), self.attr("anchors"), self.attr("ceiling"),
                   self.attr("indptr"), self.attr("indices"), self.attr("data"),
                   self.attr("evaluated"));
  });
}

void make_proposals(Proposals* self, const Maps& maps, nb::handle rows, nb::handle anchors,
                    nb::handle row_counts, nb::handle per_iteration) {
  Proposals made;
  made.maps = maps;
  made.rows = matrix_of(rows, "Proposals");
  read_optional("Proposals", "anchors", anchors, made.anchors);
  read_optional("Proposals", "row_counts", row_counts, made.row_counts);
  read_optional("Proposals", "per_iteration", per_iteration, made.per_iteration);
  const auto count = static_cast<std::size_t>(made.rows.rows());
  if (anchors.is_none()) made.anchors.resize(count);
  if (row_counts.is_none()) made.row_counts.resize(count, 1);
  require(made.anchors.size() == count && made.row_counts.size() == count,
          "Proposals: anchors and row_counts must be one per row, got ", made.anchors.size(),
          " and ", made.row_counts.size(), " for ", count, " rows");
  made.check("Proposals");
  new (self) Proposals(std::move(made));
}

void add_proposals(nb::module_& module) {
  nb::class_<Proposals>(
      module, "Proposals",
      "K maps [K, T], each the mean of maps that belong together. Made from maps and "
      "rows, copied.")
      .def("__init__", &make_proposals, nb::arg("maps"), nb::arg("rows"),
           nb::arg("anchors") = nb::none(), nb::arg("row_counts") = nb::none(),
           nb::arg("per_iteration") = nb::none(),
           nb::sig("def __init__(self, maps: Maps, rows: object, anchors: "
                   "collections.abc.Iterable[collections.abc.Iterable[int]] | None = None, "
                   "row_counts: collections.abc.Iterable[int] | None = None, per_iteration: "
                   "collections.abc.Iterable[int] | None = None) -> None"))
      .def_prop_ro(
          "maps", [](const Proposals& self) { return self.maps; }, "What was merged.")
      .def_prop_ro(
          "rows",
          [](nb::handle self) {
            const auto& rows = of<Proposals>(self).rows;
            return view_of<2>(rows.data(), {rows.rows(), rows.cols()}, self);
          },
          nb::rv_policy::reference, "[K, T] float32, a view.")
      .def_prop_ro(
          "anchors", [](const Proposals& self) { return self.anchors; },
          "[K] lists of indices into the anchors of the similarities.")
      .def_prop_ro(
          "row_counts", [](const Proposals& self) { return self.row_counts; }, "[K] maps averaged.")
      .def_prop_ro(
          "per_iteration", [](const Proposals& self) { return self.per_iteration; },
          "Number of proposals after each iteration.")
      .def("__len__", [](const Proposals& self) { return self.rows.rows(); })
      .def("__repr__",
           [](const Proposals& self) {
             return message("<Proposals: ", self.rows.rows(), " of ", self.rows.cols(), " cells>");
           })
      .def("__reduce__", [](nb::handle self) {
        return made_by(self, self.attr("maps"), self.attr("rows"), self.attr("anchors"),
                       self.attr("row_counts"), self.attr("per_iteration"));
      });
}

void make_labels(Labels* self, nb::handle values, nb::handle proposals) {
  Labels made = labels_of(values);
  read_optional("Labels", "proposals", proposals, made.proposals);
  made.check_size("Labels");
  new (self) Labels(std::move(made));
}

void add_labels_noun(nb::module_& module) {
  nb::class_<Labels>(module, "Labels",
                     "One label per pixel. Made from whole numbers [height, width], copied; "
                     "numpy.asarray(labels) is `values`.")
      .def("__init__", &make_labels, nb::arg("values").none(), nb::arg("proposals") = nb::none(),
           nb::sig("def __init__(self, values: object, proposals: collections.abc.Iterable[int] | "
                   "None = None) -> None"))
      .def_prop_ro(
          "size", [](const Labels& self) { return grid_of(self.size); },
          nb::sig("def size(self, /) -> tuple[int, int]"), "Pixels.")
      .def_prop_ro(
          "values",
          [](nb::handle self) {
            const auto& labels = of<Labels>(self);
            return view_of<2>(labels.values.data(), {labels.size.height, labels.size.width}, self);
          },
          nb::rv_policy::reference, "[height, width] int32, a view.")
      .def_prop_ro(
          "proposals", [](const Labels& self) { return self.proposals; },
          "[label] index of the proposal behind each label.")
      .def("count", &Labels::count, "How many labels there are, whether or not a pixel has them.")
      .def(
          "__array__",
          [](nb::handle self, nb::handle dtype, nb::handle copy) {
            nb::object values = self.attr("values");
            if (!dtype.is_none()) values = values.attr("astype")(dtype, nb::arg("copy") = false);
            return copy.is(nb::handle(Py_True)) ? values.attr("copy")() : values;
          },
          nb::arg("dtype") = nb::none(), nb::arg("copy") = nb::none())
      .def("__repr__",
           [](const Labels& self) {
             return message("<Labels: ", self.count(), " on ", self.size.height, " x ",
                            self.size.width, " pixels>");
           })
      .def("__reduce__", [](nb::handle self) {
        return made_by(self, self.attr("values"), self.attr("proposals"));
      });
}

void make_cross_maps(CrossMaps* self, nb::handle size, nb::handle tokens, nb::handle values) {
  CrossMaps made;
  read_or_refuse("CrossMaps", "size", size, made.size);
  made.tokens = numbers_of<Index>(tokens, "CrossMaps");
  made.values = matrix_of(values, "CrossMaps");
  made.check("CrossMaps");
  new (self) CrossMaps(std::move(made));
}

void add_cross_maps(nb::module_& module) {
  nb::class_<CrossMaps>(
      module, "CrossMaps",
      "Cross-attention by pixel: values [C, pixels] >= 0 of C text tokens. Made from "
      "an array, copied.")
      .def("__init__", &make_cross_maps, nb::arg("size"), nb::arg("tokens"), nb::arg("values"),
           nb::sig("def __init__(self, size: int | tuple[int, int], tokens: "
                   "collections.abc.Iterable[int], values: object) -> None"))
      .def_prop_ro(
          "size", [](const CrossMaps& self) { return grid_of(self.size); },
          nb::sig("def size(self, /) -> tuple[int, int]"), "Pixels.")
      .def_prop_ro(
          "tokens", [](const CrossMaps& self) { return self.tokens; },
          "[C] token column behind each row, ascending.")
      .def_prop_ro(
          "values",
          [](nb::handle self) {
            const auto& rows = of<CrossMaps>(self).values;
            return view_of<2>(rows.data(), {rows.rows(), rows.cols()}, self);
          },
          nb::rv_policy::reference, "[C, pixels] float32, a view.")
      .def("__repr__",
           [](const CrossMaps& self) {
             return message("<CrossMaps: ", self.tokens.size(), " tokens on ", self.size.height,
                            " x ", self.size.width, " pixels>");
           })
      .def("__reduce__", [](nb::handle self) {
        return made_by(self, self.attr("size"), self.attr("tokens"), self.attr("values"));
      });
}

nb::object groups_of(const Names& names) {
  nb::list groups;
  for (const auto& group : names.groups) groups.append(nb::make_tuple(group.word, group.labels));
  return groups;
}

void make_names(Names* self, std::vector<Index> nouns, nb::handle groups) {
  Names made;
  made.nouns = std::move(nouns);
  for (const nb::handle group : nb::iter(groups)) {
    made.groups.push_back(
        {nb::cast<std::string>(group[0]), nb::cast<std::vector<std::int32_t>>(group[1])});
  }
  new (self) Names(std::move(made));
}

void add_names(nb::module_& module) {
  nb::class_<Names>(module, "Names", "What Name found.")
      .def("__init__", &make_names, nb::arg("nouns"), nb::arg("groups"),
           nb::sig("def __init__(self, nouns: collections.abc.Sequence[int], groups: "
                   "collections.abc.Iterable[tuple[str, list[int]]]) -> None"))
      .def_prop_ro(
          "nouns", [](const Names& self) { return self.nouns; },
          "[label] index into Name.nouns, -1: none.")
      .def_prop_ro("groups", &groups_of,
                   nb::sig("def groups(self, /) -> list[tuple[str, list[int]]]"),
                   "(word, its labels), in the order of the nouns, none empty.")
      .def("__repr__",
           [](nb::handle self) {
             return "Names(" + nb::cast<std::string>(nb::repr(self.attr("groups"))) + ")";
           })
      .def("__reduce__",
           [](nb::handle self) { return made_by(self, self.attr("nouns"), self.attr("groups")); });
}

}  // namespace

void add_nouns(nb::module_& module) {
  add_image(module);
  add_maps(module);
  add_similarities(module);
  add_proposals(module);
  add_labels_noun(module);
  add_cross_maps(module);
  add_names(module);
}

}  // namespace binding
