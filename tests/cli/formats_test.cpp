// SPDX-License-Identifier: MIT
#include "formats/formats.hpp"

#include <diffseg/io/npy.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "formats/html.hpp"
#include "formats/html_text.hpp"
#include "formats/outlines.hpp"
#include "formats/preview.hpp"
#include "formats/regions.hpp"
#include "formats/run_lengths.hpp"
#include "formats/trace.hpp"
#include "formats/voc.hpp"
#include "overlay.hpp"
#include "photo_io.hpp"
#include "support/catch.hpp"
#include "support/complaint.hpp"
#include "support/random.hpp"

using cli::Format;
using cli::Point;
using cli::Polygon;
using cli::Ring;
using diffseg::GridSize;
using diffseg::Image;
using diffseg::Index;
using diffseg::Labels;

namespace {

using Ids = std::vector<std::int32_t>;

Labels labels_of(GridSize size, Ids values, Index count) {
  return {size, std::move(values), Ids(static_cast<std::size_t>(count))};
}

/// Noise in cells of 1 to 3 pixels: holes, islands in holes, regions that touch in corners.
Labels noise(support::Random& random) {
  const GridSize size = random.grid(1, 24);
  const Index count = random.integer(1, 4);
  const Index cell = random.integer(1, 3);
  Ids coarse(24 * 24);
  for (std::int32_t& id : coarse) id = static_cast<std::int32_t>(random.integer(0, count - 1));
  Labels labels = labels_of(size, {}, count);
  for (Index i = 0; i < size.cells(); ++i) {
    const Index place = i / size.width / cell * 24 + i % size.width / cell;
    labels.values.push_back(coarse[static_cast<std::size_t>(place)]);
  }
  return labels;
}

struct Example {
  Labels labels;
  Image<float> photo = {};
  std::vector<diffseg::Names::Group> names = {};
  std::vector<cli::Colour> palette = cli::make_palette(labels.count());
  [[nodiscard]] cli::Scene scene() const { return {photo, labels, names, palette, "a.jpg"}; }
  std::string text(Format format) const {
    const cli::Bytes bytes = cli::encode(format, scene());
    return {bytes.begin(), bytes.end()};
  }
};

/// The mask of compressed run lengths, down the columns: a reader written apart from the writer.
std::vector<bool> decode_runs(const std::string& text) {
  std::vector<Index> counts;
  for (std::size_t i = 0; i < text.size();) {
    Index number = 0;
    Index shift = 0;
    for (bool more = true; more; shift += 5) {
      const int bits = text[i++] - '0';
      number += Index{bits & 31} << shift;
      more = (bits & 32) != 0;
      if (!more && (bits & 16) != 0) number -= Index{32} << shift;
    }
    counts.push_back(counts.size() > 2 ? number + counts[counts.size() - 2] : number);
  }
  std::vector<bool> mask;
  for (std::size_t i = 0; i < counts.size(); ++i)
    mask.insert(mask.end(), static_cast<std::size_t>(counts[i]), i % 2 == 1);
  return mask;
}

/// Every pixel inside an odd number of the rings gets the label; true if it had none.
bool fill(const Polygon& polygon, GridSize size, Ids& values) {
  std::vector<bool> turns(static_cast<std::size_t>(size.height * (size.width + 1)));
  std::vector<Ring> rings = polygon.holes;
  rings.push_back(polygon.outside);
  for (const Ring& ring : rings) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const Point a = ring[i];
      const Point b = ring[(i + 1) % ring.size()];
      for (Index y = std::min(a.y, b.y); y < std::max(a.y, b.y); ++y)
        turns[static_cast<std::size_t>(y * (size.width + 1) + a.x)].flip();
    }
  }
  bool free = true;
  for (Index y = 0; y < size.height; ++y) {
    bool inside = false;
    for (Index x = 0; x < size.width; ++x) {
      inside ^= turns[static_cast<std::size_t>(y * (size.width + 1) + x)];
      std::int32_t& value = values[static_cast<std::size_t>(y * size.width + x)];
      free = free && !(inside && value >= 0);
      if (inside) value = polygon.label;
    }
  }
  return free;
}

/// Twice the area, positive counter-clockwise when y is taken as up.
Index twice_area(const Ring& ring) {
  Index sum = 0;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const Point b = ring[(i + 1) % ring.size()];
    sum += Index{ring[i].x} * b.y - Index{b.x} * ring[i].y;
  }
  return sum;
}

/// Sides along x and y in turns, and no corner twice.
bool is_simple(const Ring& ring) {
  std::set<std::pair<std::int32_t, std::int32_t>> corners;
  bool turns = ring.size() >= 4;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    corners.emplace(ring[i].x, ring[i].y);
    const Point b = ring[(i + 1) % ring.size()];
    const Point c = ring[(i + 2) % ring.size()];
    turns = turns && (ring[i].x == b.x) != (ring[i].y == b.y) && (ring[i].x == b.x) == (b.y == c.y);
  }
  return turns && corners.size() == ring.size();
}

void check_polygons(const std::vector<Polygon>& polygons, const Labels& labels) {
  Ids values(labels.values.size(), -1);
  bool free = true;
  for (const Polygon& polygon : polygons) {
    free = free && fill(polygon, labels.size, values);
    CHECK(is_simple(polygon.outside));
    CHECK(twice_area(polygon.outside) > 0);
    for (const Ring& hole : polygon.holes) {
      CHECK(is_simple(hole));
      CHECK(twice_area(hole) < 0);
    }
  }
  CHECK(free);
  CHECK(values == labels.values);
}

}  // namespace

TEST_CASE("masks as COCO's run lengths", "[unit]") {
  // Down the columns: 0 0 | 0 1 | 1 1.
  const auto texts = cli::run_lengths(labels_of({2, 3}, {0, 0, 1, 0, 1, 1}, 3));
  CHECK(texts == std::vector<std::string>{"033", "33", "6"});
  cli::RunLengths mask;
  mask.add(0, 5);
  mask.add(6, 8);
  // 0 5 1, then 2 - 5 = -3 (5 bits: 29) and 100 - 1 = 99 (3, then 3, the first with 32 added).
  CHECK(mask.finish(108) == "051MS3");
}

TEST_CASE("run lengths give back every mask", "[law]") {
  support::Random random(71);
  INFO(random.note());
  for (int round = 0; round < 100; ++round) {
    const Labels labels = noise(random);
    const auto texts = cli::run_lengths(labels);
    const auto [height, width] = labels.size;
    for (std::size_t label = 0; label < texts.size(); ++label) {
      const std::vector<bool> mask = decode_runs(texts[label]);
      REQUIRE(mask.size() == labels.values.size());
      Index wrong = 0;
      for (Index i = 0; i < height * width; ++i) {
        const auto pixel = static_cast<std::size_t>(i % height * width + i / height);
        wrong += mask[static_cast<std::size_t>(i)] !=
                 (labels.values[pixel] == static_cast<std::int32_t>(label));
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("polygons of a ring around a pixel", "[unit]") {
  const Labels labels = labels_of({3, 3}, {0, 0, 0, 0, 1, 0, 0, 0, 0}, 2);
  const auto polygons = cli::trace(labels);
  REQUIRE(polygons.size() == 2);
  CHECK(polygons[0].outside == Ring{{3, 0}, {3, 3}, {0, 3}, {0, 0}});
  REQUIRE(polygons[0].holes.size() == 1);
  CHECK(polygons[0].holes[0] == Ring{{2, 2}, {2, 1}, {1, 1}, {1, 2}});
  CHECK(polygons[1].label == 1);
  CHECK(polygons[1].outside == Ring{{2, 1}, {2, 2}, {1, 2}, {1, 1}});
  // Cut above the hole: a bar, and a U that is open upwards.
  const auto pieces = cli::trace_without_holes(labels);
  REQUIRE(pieces.size() == 3);
  CHECK(pieces[0].outside == Ring{{3, 0}, {3, 1}, {0, 1}, {0, 0}});
  CHECK(pieces[1].outside == Ring{{1, 1}, {1, 2}, {2, 2}, {2, 1}, {3, 1}, {3, 3}, {0, 3}, {0, 1}});
  CHECK(pieces[2].label == 1);
}

TEST_CASE("polygons of regions that touch in a corner", "[unit]") {
  // The two pixels of 1 are regions of their own; 0 is one, and meets itself at (1, 1) and (2, 2).
  const Labels labels = labels_of({3, 3}, {0, 0, 0, 0, 1, 0, 0, 0, 1}, 2);
  const auto polygons = cli::trace(labels);
  REQUIRE(polygons.size() == 3);
  CHECK(polygons[0].holes.size() == 1);
  CHECK(polygons[0].outside == Ring{{3, 0}, {3, 2}, {2, 2}, {2, 3}, {0, 3}, {0, 0}});
  CHECK(polygons[1].outside.size() == 4);
  CHECK(polygons[2].outside.size() == 4);
}

TEST_CASE("polygons are simple and filled in they are the labels again", "[law]") {
  support::Random random(72);
  INFO(random.note());
  for (int round = 0; round < 200; ++round) {
    const Labels labels = noise(random);
    check_polygons(cli::trace(labels), labels);
    const auto pieces = cli::trace_without_holes(labels);
    check_polygons(pieces, labels);
    for (const Polygon& piece : pieces) CHECK(piece.holes.empty());
  }
}

TEST_CASE("figures of regions", "[unit]") {
  const Labels labels = labels_of({3, 4}, {0, 0, 1, 1, 0, 0, 1, 3, 0, 0, 0, 0}, 4);
  const auto extents = cli::find_extents(labels);
  CHECK(extents[0].area == 8);
  CHECK(extents[0].left == 0);
  CHECK(extents[0].width() == 4);
  CHECK(extents[0].height() == 3);
  CHECK(extents[1].left == 2);
  CHECK(extents[1].bottom == 2);
  CHECK(extents[1].x == Approx((2.5 + 3.5 + 2.5) / 3));
  CHECK(extents[1].y == Approx((0.5 + 0.5 + 1.5) / 3));
  CHECK(extents[2].area == 0);
  CHECK(cli::find_neighbours(labels) == std::vector<Ids>{{1, 3}, {0, 3}, {}, {0, 1}});
  const auto squares = cli::find_squares(labels);
  CHECK(squares[0].side == 2);
  CHECK(squares[0].x + squares[0].y == 0);
  CHECK(squares[1].side == 1);
  CHECK(squares[2].side == 0);
  CHECK(squares[3].x == 3);
  CHECK(squares[3].y == 1);
}

TEST_CASE("mean colours of labels of any size", "[unit]") {
  const Labels labels = labels_of({1, 2}, {0, 1}, 2);
  const Image<float> wide({1, 4}, 1, {0.0F, 0.5F, 1.0F, 0.5F});
  CHECK(cli::mean_colours(labels, wide)[0][2] == Approx(0.25));
  CHECK(cli::mean_colours(labels, wide)[1][0] == Approx(0.75));
  const Image<float> pixel({1, 1}, 3, {0.25F, 0.5F, 1.0F});
  CHECK(cli::mean_colours(labels, pixel)[1] == std::array{0.25, 0.5, 1.0});
}

TEST_CASE("neighbours and squares are those that looking everywhere finds", "[law]") {
  support::Random random(73);
  INFO(random.note());
  for (int round = 0; round < 100; ++round) {
    const Labels labels = noise(random);
    const auto [height, width] = labels.size;
    const auto id = [&, width = width](Index y, Index x) {
      return labels.values[static_cast<std::size_t>(y * width + x)];
    };
    std::vector<std::set<std::int32_t>> neighbours(static_cast<std::size_t>(labels.count()));
    const auto meet = [&](std::int32_t a, std::int32_t b) {
      if (a == b) return;
      neighbours[static_cast<std::size_t>(a)].insert(b);
      neighbours[static_cast<std::size_t>(b)].insert(a);
    };
    std::vector<Index> sides(neighbours.size());
    for (Index y = 0; y < height; ++y) {
      for (Index x = 0; x < width; ++x) {
        if (y > 0) meet(id(y, x), id(y - 1, x));
        if (x > 0) meet(id(y, x), id(y, x - 1));
        Index side = 1;
        const auto even = [&](Index wanted) {
          for (Index i = 0; i < wanted * wanted; ++i)
            if (id(y + i / wanted, x + i % wanted) != id(y, x)) return false;
          return true;
        };
        while (y + side < height && x + side < width && even(side + 1)) ++side;
        Index& best = sides[static_cast<std::size_t>(id(y, x))];
        best = std::max(best, side);
      }
    }
    const auto found = cli::find_neighbours(labels);
    const auto squares = cli::find_squares(labels);
    for (std::size_t label = 0; label < found.size(); ++label) {
      CHECK(found[label] == Ids(neighbours[label].begin(), neighbours[label].end()));
      const cli::Square square = squares[label];
      CHECK(square.side == sides[label]);
      for (Index i = 0; i < square.side * square.side; ++i)
        REQUIRE(id(square.y + i / square.side, square.x + i % square.side) ==
                static_cast<std::int32_t>(label));
    }
  }
}

TEST_CASE("VOC's colours", "[unit]") {
  const auto palette = cli::voc_palette(256);
  CHECK(palette[0] == cli::Colour{0, 0, 0});
  CHECK(palette[1] == cli::Colour{128, 0, 0});
  CHECK(palette[6] == cli::Colour{0, 128, 128});
  CHECK(palette[8] == cli::Colour{64, 0, 0});
  CHECK(palette[20] == cli::Colour{0, 64, 128});
  CHECK(palette[255] == cli::Colour{224, 224, 192});
  Example many{labels_of({1, 1}, {0}, 256)};
  CHECK(support::complaint([&] { many.text(Format::voc); }).find("at most 255 labels") !=
        std::string::npos);
}

TEST_CASE("a table of regions", "[unit]") {
  const Example example{.labels = labels_of({1, 4}, {0, 0, 0, 2}, 3),
                        .photo = Image<float>({1, 4}, 1, {0, 0, 0.6F, 1}),
                        .names = {{"a \"big\", red cat", {2}}}};
  CHECK(example.text(Format::csv) ==
        "label,name,area,share,left,top,width,height,x,y,red,green,blue,neighbours\n"
        "0,,3,0.75,0,0,3,1,1.5,0.5,51,51,51,2\n"
        "1,,0,0,,,,,,,,,,\n"
        "2,\"a \"\"big\"\", red cat\",1,0.25,3,0,1,1,3.5,0.5,255,255,255,0\n");
  Example blind = example;
  blind.photo = {};
  CHECK(blind.text(Format::csv).find("0,,3,0.75,0,0,3,1,1.5,0.5,,,,2\n") != std::string::npos);
}

TEST_CASE("arrays of label ids", "[unit]") {
  const Example example{labels_of({2, 3}, {0, 1, 2, 2, 1, 0}, 3)};
  const cli::Bytes bytes = cli::encode(Format::npy, example.scene());
  const auto tensor = diffseg::parse_npy(std::as_bytes(std::span(bytes)), "memory");
  CHECK(tensor.shape == std::vector<Index>{2, 3});
  CHECK(std::equal(bytes.end() - 24, bytes.end(),
                   reinterpret_cast<const unsigned char*>(example.labels.values.data())));
}

TEST_CASE("COCO's documents", "[unit]") {
  const Example example{.labels = labels_of({2, 3}, {0, 0, 2, 0, 2, 2}, 3),
                        .names = {{"cat", {2}}}};
  const auto json = nlohmann::json::parse(example.text(Format::coco));
  CHECK(json["image"]["image_id"] == 1);
  CHECK(json["images"][0]["file_name"] == "a.jpg");
  REQUIRE(json["annotations"].size() == 2);  // label 1 has no pixel
  const auto& last = json["annotations"][1];
  CHECK(last["label"] == 2);
  CHECK(last["bbox"] == nlohmann::json{1, 0, 2, 2});
  CHECK(last["crop_box"] == nlohmann::json{0, 0, 3, 2});
  CHECK(last["segmentation"]["counts"] == "33");
  CHECK(last["segmentation"]["size"] == nlohmann::json{2, 3});
  CHECK(last["predicted_iou"].is_null());
  CHECK(json["categories"][0]["name"] == "cat");
  CHECK(last["category_id"] == 1);
  CHECK(json["annotations"][0]["category_id"] == 2);
  const auto polygons = nlohmann::json::parse(example.text(Format::polygons));
  CHECK(polygons["annotations"][0]["segmentation"] ==
        nlohmann::json::parse("[[2,0,2,1,1,1,1,2,0,2,0,0]]"));
}

TEST_CASE("GeoJSON", "[unit]") {
  const Example example{.labels = labels_of({1, 3}, {0, 1, 0}, 2), .names = {{"sky", {1}}}};
  const auto json = nlohmann::json::parse(example.text(Format::geojson));
  CHECK(json["type"] == "FeatureCollection");
  const auto& feature = json["features"][0];
  CHECK(feature["geometry"]["coordinates"] ==
        nlohmann::json::parse(
            "[[[[1,0],[1,1],[0,1],[0,0],[1,0]]],[[[3,0],[3,1],[2,1],[2,0],[3,0]]]]"));
  CHECK(feature["properties"].count("name") == 0);
  CHECK(json["features"][1]["properties"]["name"] == "sky");
}

TEST_CASE("outlines keep the photo and number each region inside it", "[unit]") {
  Example example{labels_of({40, 60}, Ids(2400), 2), Image<float>({40, 60}, 3, {})};
  for (Index i = 0; i < 2400; ++i)
    example.labels.values[static_cast<std::size_t>(i)] = i % 60 >= 30;
  example.photo.values.assign(7200, 0.5F);
  const cli::Bytes pixels = cli::draw_outlines(example.scene());
  const auto pixel = [&](Index y, Index x) {
    const unsigned char* from = pixels.data() + 3 * (y * 60 + x);
    return cli::Colour{from[0], from[1], from[2]};
  };
  CHECK(pixel(2, 2) == cli::Colour{128, 128, 128});
  CHECK(pixel(2, 29) == example.palette[0]);
  CHECK(pixel(2, 30) == example.palette[1]);
  // Outside of plates and lines nothing changes; each plate is inside its region, and has ink.
  std::set<cli::Colour> seen[2];
  for (Index i = 0; i < 2400; ++i) {
    const Index x = i % 60;
    if (x == 29 || x == 30) continue;
    seen[x >= 30 ? 1 : 0].insert(pixel(i / 60, x));
  }
  for (const std::size_t label : {std::size_t{0}, std::size_t{1}}) {
    CHECK(seen[label].size() == 3);  // photo, plate, ink
    CHECK(seen[label].count(example.palette[label]) == 1);
  }
  example.photo = {};
  CHECK(support::complaint([&] { example.text(Format::outlines); }).find("needs a photo") !=
        std::string::npos);
}

TEST_CASE("names of formats", "[unit]") {
  CHECK(cli::parse_formats({"npy", "png", "npy"}) == std::vector{Format::npy, Format::png});
  const std::string complaint = support::complaint([] { (void)cli::parse_formats({"tiff"}); });
  CHECK(complaint == "must be of " + cli::format_names() + "; got 'tiff'");
  CHECK(cli::suffix(Format::png) == ".labels.png");
}

TEST_CASE("text and bytes inside a page", "[unit]") {
  CHECK(cli::html_escaped("<a b='c' d=\"e\">&amp;") ==
        "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;amp;");
  CHECK(cli::base64({'M', 'a', 'n'}) == "TWFu");
  CHECK(cli::base64({'M', 'a'}) == "TWE=");
  CHECK(cli::base64({0xff}) == "/w==");
  CHECK(cli::base64({}).empty());
}

TEST_CASE("a page counts its photos and leads to those that failed", "[unit]") {
  const Example example{labels_of({1, 2}, {0, 1}, 2)};
  const std::string good = cli::html_photo(example.scene(), "<good>", "a note", {}, 1);
  const cli::Bytes bytes = cli::html_page({good, cli::html_failure("bad", "<why>"), {}, good});
  const std::string page(bytes.begin(), bytes.end());
  CHECK_THAT(page, support::Contains("<p>3 photos, 1 failed: <a href=\"#p2\">2</a></p>"));
  CHECK_THAT(page, support::Contains("<h2>bad</h2>\n<p>&lt;why&gt;</p>"));
  CHECK_THAT(page, support::Contains("<h2>&lt;good&gt;</h2>\n<p>a note</p>"));
  const cli::Bytes resumed = cli::html_page({cli::html_done_before("old"), good});
  CHECK_THAT(std::string(resumed.begin(), resumed.end()),
             support::Contains("<p>2 photos, 1 done before, 0 failed</p>"));
  CHECK(page.find("class=\"seen\"") == std::string::npos);  // there is no photo
}

TEST_CASE("previews have at most 640 pixels a side", "[unit]") {
  CHECK(cli::preview_size({300, 451}) == GridSize{300, 451});
  CHECK(cli::preview_size({4000, 6000}) == GridSize{426, 640});
  CHECK(cli::preview_size({10'000, 3}) == GridSize{640, 1});
}

TEST_CASE("a region keeps its colour from step to step of a slider", "[unit]") {
  // 24 x 8: a left and a right half; then the left one is split, and all ids move.
  Labels two = labels_of({8, 24}, Ids(192), 2);
  Labels three = labels_of({8, 24}, Ids(192), 3);
  for (Index i = 0; i < 192; ++i) {
    const auto pixel = static_cast<std::size_t>(i);
    two.values[pixel] = i % 24 < 12 ? 0 : 1;
    three.values[pixel] = i % 24 < 4 ? 1 : i % 24 < 12 ? 2 : 0;
  }
  cli::SliderDrawer drawer;
  const cli::SliderStep before = drawer.draw(1.5, two);
  const cli::SliderStep after = drawer.draw(0.5, three);
  CHECK(before.segments == 2);
  CHECK(after.threshold == 0.5);
  const auto colour = [](const cli::SliderStep& step, Index x) {
    const Image<float> picture = cli::load_photo(step.png, "step").image;
    const auto first = picture.values.begin() + 3 * (4 * 24 + x);
    return std::vector<float>(first, first + 3);
  };
  CHECK(colour(before, 2) == colour(before, 8));
  CHECK(colour(after, 8) == colour(before, 8));    // the larger part
  CHECK(colour(after, 18) == colour(before, 18));  // untouched
  CHECK(colour(after, 2) != colour(before, 8));
  CHECK(colour(after, 2) != colour(before, 18));
  CHECK(colour(after, 11) == std::vector<float>{1, 1, 1});  // a line between them
}
