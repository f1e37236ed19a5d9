// SPDX-License-Identifier: MIT
// Stages from photos and layers to maps.
#include <diffseg/attention/sharpen.hpp>
#include <mutex>

#include "arrays.hpp"
#include "module.hpp"
#include "stage.hpp"

namespace binding {

namespace {

using diffseg::Aggregate;
using diffseg::AggregateCross;
using diffseg::Layer;
using diffseg::Layers;
using Maps = diffseg::Maps<float>;
using Image = diffseg::Image<float>;

void add_affinity(nb::module_& module) {
  using diffseg::Affinity;
  Stage<Affinity> stage(module, "Affinity",
                        "Photo -> layers: attention from colour, texture and position, without a "
                        "model; a stand-in that knows nothing of objects.");
  stage.option("cells", &Affinity::cells, "About the cells of the finest grid, 64..65536.")
      .finish();
  stage.type()
      .def(
          "__call__",
          [](const Affinity& self, nb::handle photo) {
            const Image image = image_of(photo);
            return unlocked([&] { return self(image); });
          },
          nb::arg("photo").none(), nb::sig("def __call__(self, photo: object) -> list[Layer]"))
      .def(
          "grid_for",
          [](const Affinity& self, nb::handle photo) {
            GridSize size;
            read_or_refuse("Affinity", "photo", photo, size);
            return Convert<GridSize>::write(self.grid_for(size));
          },
          nb::arg("photo").none(),
          nb::sig("def grid_for(self, photo: tuple[int, int]) -> tuple[int, int]"),
          "The finest grid for a photo of so many pixels.");
}

void add_sharpen(nb::module_& module) {
  using diffseg::Sharpen;
  Stage<Sharpen> stage(module, "Sharpen", "Maps -> the same to a power, rows of sum 1 again.");
  stage.option("power", &Sharpen::power, "1/16 .. 16; above 1: sharper.")
      .option("floor", &Sharpen::floor, "Smallest number of a map, as that of Aggregate.")
      .finish();
  stage.type().def(
      "__call__",
      [](const Sharpen& self, const Maps& maps) { return unlocked([&] { return self(maps); }); },
      nb::arg("maps"), nb::sig("def __call__(self, maps: Maps) -> Maps"));
}

void add_downsample(nb::module_& module) {
  using diffseg::Downsample;
  using diffseg::DownsamplePhoto;
  Stage<DownsamplePhoto> smaller(module, "DownsamplePhoto",
                                 "Photo -> a smaller one: the mean colour of what a pixel covers.");
  smaller.option("size", &DownsamplePhoto::size, "Sides to reduce to, >= 1 x 1.").finish();
  smaller.type().def(
      "__call__",
      [](const DownsamplePhoto& self, nb::handle photo, SharedWorkspace* workspace) {
        const Image image = image_of(photo);
        return with_workspace(workspace, [&](diffseg::Workspace& with) {
          Image result;
          self(image, result, with);
          return result;
        });
      },
      nb::arg("photo").none(), nb::arg("workspace") = nb::none(),
      nb::sig("def __call__(self, photo: object, workspace: Workspace | None = None) -> Image"));

  Stage<Downsample> stage(module, "Downsample",
                          "Layers or maps -> the same, coarser: queries averaged, keys summed; an "
                          "approximation.");
  stage.option("size", &Downsample::size, "Sides to reduce to, >= 1 x 1.").finish();
  stage.type().def(
      "__call__",
      [](const Downsample& self, const Maps& maps, SharedWorkspace* workspace) {
        return with_workspace(workspace, [&](diffseg::Workspace& with) {
          Maps result;
          self(maps, result, with);
          return result;
        });
      },
      nb::arg("maps"), nb::arg("workspace") = nb::none(),
      nb::sig("def __call__(self, maps: Maps, workspace: Workspace | None = None) -> Maps"));
  stage.type().def(
      "__call__",
      [](const Downsample& self, nb::handle objects, SharedWorkspace* workspace) {
        const Layers layers = layers_of(objects);
        return with_workspace(workspace, [&](diffseg::Workspace& with) {
          Layers result;
          self(layers, result, with);
          return result;
        });
      },
      nb::arg("layers").none(), nb::arg("workspace") = nb::none(),
      nb::sig("def __call__(self, layers: object, workspace: Workspace | None = None) -> "
              "list[Layer]"));
}

void add_aggregate(nb::module_& module) {
  Stage<Aggregate> stage(module, "Aggregate",
                         "Layers -> maps: mean over heads, up-sampling, weighted sum; each byte is "
                         "read once.");
  stage
      .option("grid", &Aggregate::grid,
              "Working grid; (0, 0): that of the layer with the most queries.")
      .option("weights", &Aggregate::weights,
              "One per layer, sum 1; empty: proportional to the side of the grid.")
      .option("floor", &Aggregate::floor, "Smallest number of a map, in [1e-37, 1e-3].")
      .option("shrink", &Aggregate::shrink, ">= 1; the grid's sides are divided by this.")
      .option("sample", &Aggregate::sample,
              "Of the queries in a cell the middle one, not the mean.")
      .finish();
  stage.type()
      .def(
          "__call__",
          [](const Aggregate& self, nb::handle objects, SharedWorkspace* workspace) {
            const Layers layers = layers_of(objects);
            return with_workspace(workspace, [&](diffseg::Workspace& with) {
              Maps maps;
              self(layers, maps, with);
              return maps;
            });
          },
          nb::arg("layers").none(), nb::arg("workspace") = nb::none(),
          nb::sig("def __call__(self, layers: object, workspace: Workspace | None = None) -> Maps"))
      .def(
          "working_grid",
          [](const Aggregate& self, nb::handle objects) {
            return Convert<GridSize>::write(self.working_grid(layers_of(objects)));
          },
          nb::arg("layers").none(),
          nb::sig("def working_grid(self, layers: object) -> tuple[int, int]"),
          "The grid of the maps that these layers would make.");
}

/// One call at a time.
class Stream {
 public:
  Stream(GridSize grid, double floor) : stream_(grid, floor) {}

  template <class Work>
  auto use(const Work& work) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock())
      throw std::invalid_argument("AggregateStream: it serves one call at a time");
    return unlocked([&] { return work(stream_); });
  }
  [[nodiscard]] Index count() const { return stream_.count(); }

 private:
  std::mutex mutex_;
  diffseg::AggregateStream<float> stream_;
};

void add_stream(nb::module_& module) {
  nb::class_<Stream>(module, "AggregateStream",
                     "What Aggregate does, one layer at a time, as a model makes them: add() each, "
                     "then finish(). The same bits.")
      .def(
          "__init__",
          [](Stream* self, nb::handle grid, double floor) {
            GridSize size;
            read_or_refuse("AggregateStream", "grid", grid, size);
            new (self) Stream(size, floor);
          },
          nb::arg("grid"), nb::arg("floor") = 1e-30,
          nb::sig("def __init__(self, grid: int | tuple[int, int], floor: float = 1e-30) -> None"))
      .def(
          "add",
          [](Stream& self, nb::handle object, std::optional<double> weight) {
            const Layers layers = layers_of(object);
            diffseg::detail::require(layers.size() == 1,
                                     "AggregateStream: add takes one layer, got ", layers.size());
            self.use([&](auto& stream) {
              weight ? stream.add(layers[0], *weight) : stream.add(layers[0]);
            });
          },
          nb::arg("layer").none(), nb::arg("weight") = nb::none(),
          nb::sig("def add(self, layer: object, weight: float | None = None) -> None"),
          "Adds a layer, needed no longer afterwards; weights for all or for none.")
      .def(
          "finish",
          [](Stream& self) { return self.use([](auto& stream) { return stream.finish(); }); },
          "The maps of the layers added; ready for those of the next image.")
      .def(
          "clear", [](Stream& self) { self.use([](auto& stream) { stream.clear(); }); },
          "Forgets what was added.")
      .def_prop_ro("count", &Stream::count, "Layers added since the last finish().");
}

void add_cross(nb::module_& module) {
  Stage<AggregateCross> stage(
      module, "AggregateCross",
      "Cross-attention layers [heads, queries, tokens] -> what each token gets "
      "of each pixel.");
  stage.option("size", &AggregateCross::size, "Pixels of the result.")
      .option("weights", &AggregateCross::weights, "One per layer; empty: 1 each.")
      .option("tokens", &AggregateCross::tokens, "Wanted columns; empty: all.")
      .finish();
  stage.type().def(
      "__call__",
      [](const AggregateCross& self, nb::handle objects, SharedWorkspace* workspace) {
        const Layers layers = layers_of(objects, true);
        return with_workspace(workspace, [&](diffseg::Workspace& with) {
          diffseg::CrossMaps<float> maps;
          self(layers, maps, with);
          return maps;
        });
      },
      nb::arg("layers").none(), nb::arg("workspace") = nb::none(),
      nb::sig(
          "def __call__(self, layers: object, workspace: Workspace | None = None) -> CrossMaps"));
}

}  // namespace

void add_attention(nb::module_& module) {
  add_affinity(module);
  add_sharpen(module);
  add_downsample(module);
  add_aggregate(module);
  add_stream(module);
  add_cross(module);
}

}  // namespace binding
