// SPDX-License-Identifier: MIT
// bar_chart RESULTS.json PICTURE.svg: draws {"title", "machine", "command", "rows": [{"name",
// "ms"}]} as bars.
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "plots.hpp"

namespace {

void draw(const char* from, const char* to) {
  std::ifstream in(from);
  if (!in) throw std::runtime_error(std::string(from) + ": cannot be read");
  const auto json = nlohmann::json::parse(in);
  study::Bars bars{.title = json.value("title", "SD 1.5 attention to masks, f32"),
                   .machine = json.at("machine").get<std::string>(),
                   .command = json.at("command").get<std::string>(),
                   .rows = {}};
  for (const auto& row : json.at("rows")) {
    bars.rows.push_back({row.at("name").get<std::string>(), row.at("ms").get<double>()});
    if (bars.rows.back().milliseconds > 0) continue;
    throw std::runtime_error(bars.rows.back().name + ": ms must be > 0");
  }
  if (bars.rows.empty()) throw std::runtime_error("there must be at least one row");
  std::ofstream out(to);
  out << study::draw_bars(bars) << std::flush;
  if (!out) throw std::runtime_error(std::string(to) + ": cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: bar_chart RESULTS.json PICTURE.svg\n";
    return 2;
  }
  try {
    draw(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::cerr << "bar_chart: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
