// SPDX-License-Identifier: MIT
#include "options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>

#include "photo_io.hpp"
#include "text.hpp"

#ifndef DIFFSEG_EXAMPLE_DATA
#define DIFFSEG_EXAMPLE_DATA "examples/data"
#endif
#ifndef DIFFSEG_VERSION
#define DIFFSEG_VERSION "unknown version"
#endif

namespace cli {

using diffseg::GridSize;

namespace {

constexpr const char* description =
    R"(Examples:
  segment                                   segment the bundled photo
  segment cat.jpg                           write cat.labels.png and cat.overlay.png here
  segment --threshold 1.0 *.jpg -o out      finer segments, many photos, into folder out
  segment -r photos -o out                  a folder with its folders; again: what is not yet done
  segment --segments 5 cat.jpg              five segments
  segment --json cat.jpg | jq 'select(.ok).labels'
                                            numbers for another program
  segment --attention cat.json --image cat.jpg --names cat,grass
                                            attention of a model instead of a stand-in
  segment --profile --trace t.json cat.jpg  where the time goes (open t.json in Perfetto)

Splits photos into segments with DiffSeg. Photos have no diffusion attention: a stand-in made of
colour, texture and position takes its place, unless --attention gives files with that of a model
(docs/real_attention.md). NAME.labels.png holds the label ids as palette indices (16-bit grey beyond
256 labels), NAME.overlay.png the tinted photo, NAME.overlay.jpg where it is large. NAME.json comes
last: with it a photo is done, and the same command passes it over until photo, options or results
change (docs/many_photos.md).

Photos are JPEG, PNG or WebP, turned upright as their EXIF record says; transparency lies over white,
colour profiles are left alone. Above 100 megapixels they are scaled down while they are read; their
labels have their own size up to 250 megapixels.

A PHOTO is a file, a folder, a 'quoted pattern', @list.txt (a path a line, or between zeros; @-:
on stdin) or - (a photo on stdin). In folders, hidden files, __MACOSX and results are passed over.

Exit status: 0 done, 1 a photo or an output failed (the others were still processed), 2 usage,
130 and 143 after SIGINT and SIGTERM: nothing is half-written, the same command goes on.)";

/// "N" or "HxW" with numbers >= 1; a usage error otherwise.
GridSize parse_size(const std::string& option, std::string_view text) {
  const char* const end = text.data() + text.size();
  GridSize size;
  auto [rest, error] = std::from_chars(text.data(), end, size.height);
  size.width = size.height;
  if (error == std::errc{} && rest != end && *rest == 'x') {
    const auto second = std::from_chars(rest + 1, end, size.width);
    rest = second.ptr;
    error = second.ec;
  }
  const bool valid = error == std::errc{} && rest == end && size.height >= 1 && size.width >= 1 &&
                     size.height <= max_pixels / size.width;
  if (valid) return size;
  throw CLI::ValidationError(option, message("must be N or HEIGHTxWIDTH, at least 1 and at most ",
                                             max_pixels, " in all, got '", text, "'"));
}

/// "word", "word=5" or "word=7-8" (both columns meant); a usage error otherwise.
WantedNoun parse_noun(const std::string& text) {
  const std::size_t equals = text.find('=');
  WantedNoun noun{.word = text.substr(0, equals)};
  bool good = !noun.word.empty();
  if (equals != std::string::npos) {
    const char* const end = text.data() + text.size();
    auto [rest, error] = std::from_chars(text.data() + equals + 1, end, noun.begin);
    diffseg::Index last = noun.begin;
    if (error == std::errc{} && rest != end && *rest == '-') {
      const auto second = std::from_chars(rest + 1, end, last);
      rest = second.ptr;
      error = second.ec;
    }
    good = good && error == std::errc{} && rest == end && noun.begin >= 0 && last >= noun.begin &&
           last < max_pixels;
    if (good) noun.end = last + 1;
  }
  if (good) return noun;
  throw CLI::ValidationError(
      "--names", message("must be WORD, WORD=COLUMN or WORD=FIRST-LAST, got '", text, "'"));
}

/// A number > 0, without anything behind it; a usage error otherwise.
double parse_positive(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == '\0' && std::isfinite(number) && number > 0) return number;
  throw CLI::ValidationError(option, message("must be numbers > 0, got '", text, "'"));
}

/// "auto", or one threshold for three iterations, or one for each.
std::vector<double> parse_thresholds(const std::vector<std::string>& texts) {
  if (texts == std::vector<std::string>{"auto"}) return {};
  std::vector<double> thresholds;
  for (const std::string& text : texts) {
    if (text == "auto")
      throw CLI::ValidationError("--threshold", "auto takes the place of numbers");
    thresholds.push_back(parse_positive("--threshold", text));
  }
  if (thresholds.size() == 1) thresholds.resize(3, thresholds.front());
  return thresholds;
}

/// "LO:HI:STEP" as the thresholds LO, LO + STEP .. HI.
std::vector<double> parse_sweep(const std::string& text) {
  constexpr double most = 1000;
  std::vector<double> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ':');)
    parts.push_back(parse_positive("--sweep", part));
  // A little more than a whole number of steps is one of them.
  const double steps =
      parts.size() == 3 ? std::floor((parts[1] - parts[0]) / parts[2] * (1 + 1e-9) + 1e-9) : -1;
  if (steps < 0 || steps >= most || text.back() == ':') {
    throw CLI::ValidationError("--sweep", message("must be LOW:HIGH:STEP, at most ", most,
                                                  " thresholds, got '", text, "'"));
  }
  std::vector<double> thresholds;
  for (double step = 0; step <= steps; ++step) thresholds.push_back(parts[0] + step * parts[2]);
  return thresholds;
}

void add_work_options(CLI::App& app, Options& options) {
  app.add_option("photo", options.inputs,
                 "JPEG, PNG or WebP files, or folders; none: the bundled photo")
      ->option_text("PHOTO ...");
  auto* const threshold =
      app.add_option_function<std::vector<std::string>>(
             "-t,--threshold",
             [&](const auto& texts) { options.thresholds = parse_thresholds(texts); },
             "Divergence below which maps merge, in nats; one for all three iterations or a "
             "list with one an iteration; smaller: more segments. auto: what suits the photo "
             "(default 1.3; of attention its model's, else auto)")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->option_text("auto|TAU[,TAU...]");
  app.add_option("--segments", options.segments,
                 "Choose the threshold that gives so many segments, or nearly")
      ->check(CLI::Range(diffseg::Index{1}, max_pixels))
      ->excludes(threshold)
      ->option_text("K");
  app.add_option_function<std::string>(
         "--sweep", [&](const std::string& text) { options.sweep = parse_sweep(text); },
         "Also print, for each of these thresholds, segments, the share of the information they "
         "keep, their entropy and the score that auto goes by")
      ->option_text("LO:HI:STEP");
  app.add_option_function<std::string>(
         "-a,--anchors",
         [&](const std::string& text) { options.anchors = parse_size("--anchors", text); },
         "Grid of anchors (default one for every 4x4 cells, 16x16 on a square photo; of "
         "attention 16x16)")
      ->option_text("N|HxW");
  app.add_option_function<std::string>(
         "-s,--size", [&](const std::string& text) { options.size = parse_size("--size", text); },
         "Size of the label PNG (default the photo's, else 512)")
      ->option_text("N|HxW");
}

void add_skip_options(CLI::App& app, diffseg::SkipTokens& skip) {
  const CLI::Range count(0, 1'000'000'000);
  app.add_option(
         "--skip-first", skip.first,
         "Leave out so many tokens in front of the image's: 1 for a class token, 5 with four "
         "registers, more for text (default what the manifest says, else 0)")
      ->check(count)
      ->option_text("N");
  app.add_option("--skip-last", skip.last, "Leave out so many tokens behind the image's, as text")
      ->check(count)
      ->option_text("N");
}

void add_attention_options(CLI::App& app, Options& options) {
  app.add_option(
         "--attention", options.attention,
         "Attention of one photo: a manifest, a folder, or .npy, .npz and .safetensors files; of "
         "many: a folder of manifests or of folders, or @list.txt of them")
      ->option_text("FILE|DIR ...");
  app.add_option("--image", options.image,
                 "The photo of the attention, for its size and overlay; a folder of them for many")
      ->option_text("PHOTO|DIR");
  app.add_option("--sinks", options.sinks,
                 "Leave out keys that get more than this share of a layer's attention, 0..1, and "
                 "8 times an even share (default none; 0.1 finds sinks)")
      ->check(CLI::Range(1e-6, 1.0))
      ->option_text("SHARE");
  app.add_option_function<std::vector<std::string>>(
         "--names",
         [&](const std::vector<std::string>& words) {
           for (const std::string& word : words) options.nouns.push_back(parse_noun(word));
         },
         "Name the segments by cross-attention; columns count from the first token, 0")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("WORD[=FIRST[-LAST]],...");
  add_skip_options(app, options.skip);
}

/// Refuses photos beside attention, and gives attention DiffSeg's own defaults.
void settle_attention(const CLI::App& app, Options& options) {
  if (options.attention.empty()) {
    for (const char* option : {"--image", "--names", "--skip-first", "--skip-last", "--sinks"}) {
      if (app.count(option) != 0) throw CLI::RequiresError(option, "--attention");
    }
    return;
  }
  if (!options.inputs.empty()) {
    throw CLI::ValidationError("--attention", message("takes the place of photos; give '",
                                                      options.inputs.front(), "' as --image"));
  }
  const bool outlines = std::find(options.formats.begin(), options.formats.end(),
                                  Format::outlines) != options.formats.end();
  if (outlines && options.image.empty())
    throw CLI::ValidationError("--format", "outlines are drawn on a photo; give it as --image");
  options.model_threshold = app.count("--threshold") == 0 && options.segments == 0;
  if (app.count("--refine") == 0) options.refine = false;
  if (app.count("--tidy") == 0) options.tidy = false;
}

void add_finish_options(CLI::App& app, Options& options) {
  app.add_flag("--refine,!--no-refine", options.refine,
               "Cluster the maps around the proposals (default on; of attention off)");
  app.add_flag(
      "--tidy,!--no-tidy", options.tidy,
      "Make each connected region a segment, give small ones away (default on; of attention "
      "off)");
  app.add_flag_function(
      "--fit-borders,!--no-fit-borders",
      [&](std::int64_t count) { options.fit_borders = count > 0; },
      "Fit the borders to the photo, where the label PNG has its size (default as --tidy)");
  app.add_option("--min-area", options.min_area,
                 "Least share of the photo that a tidy segment has (default 0.01)")
      ->check(CLI::Validator(
          [](const std::string& text) {
            char* end = nullptr;
            const double share = std::strtod(text.c_str(), &end);
            const bool good = *end == '\0' && std::isfinite(share) && share >= 0 && share <= 1;
            return good ? std::string() : "must be in 0..1, got '" + text + "'";
          },
          ""))
      ->option_text("SHARE");
  app.add_flag_callback(
      "--exact", [&] { options.refine = options.tidy = false; },
      "DiffSeg and nothing more: --no-refine --no-tidy --no-fit-borders");
}

/// "png", "jpg" or "none"; a usage error otherwise.
OverlayKind parse_overlay(const std::string& text) {
  if (text == "png") return OverlayKind::png;
  if (text == "jpg") return OverlayKind::jpg;
  if (text == "none") return OverlayKind::none;
  throw CLI::ValidationError("--overlay", message("must be png, jpg or none, got '", text, "'"));
}

void add_output_options(CLI::App& app, Options& options) {
  app.add_option_function<std::string>(
         "--overlay", [&](const std::string& text) { options.overlay = parse_overlay(text); },
         "Write the tinted photo so, or not (default png, beyond 4 megapixels jpg)")
      ->option_text("png|jpg|none");
  app.add_option("-o,--output", options.output,
                 "Folder of the results, made when missing (default: here)")
      ->option_text("DIR");
  app.add_option_function<std::vector<std::string>>(
         "-f,--format",
         [&](const std::vector<std::string>& names) {
           try {
             options.formats = parse_formats(names);
           } catch (const std::invalid_argument& error) {
             throw CLI::ValidationError("--format", error.what());
           }
         },
         "Files to write for each photo (default png): " + format_names() +
             "; docs/formats.md tells how to read them")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("NAME[,NAME...]");
  app.add_option("--html", options.html,
                 "Write one page that shows all photos, their segments and a table of them; with "
                 "--sweep a slider over the thresholds")
      ->check(CLI::Validator(
          [](const std::string& text) {
            const bool good = text.ends_with(".html") || text.ends_with(".htm");
            return good ? std::string() : "must end in .html, got '" + text + "'";
          },
          ""))
      ->option_text("FILE.html");
  app.add_flag("-j,--json", options.json,
               "Print JSON lines on stdout: an object a photo, then a summary of all");
  app.add_flag("-q,--quiet", options.quiet, "Neither a bar nor a summary on stderr");
  app.add_flag("-p,--profile", options.profile,
               "Print the time of each stage and the bottleneck on stderr; implies --force");
  app.add_option("--trace", options.trace, "Write a Chrome trace; implies --force")
      ->option_text("FILE");
  app.set_version_flag("--version", "segment (diffseg) " DIFFSEG_VERSION);
}

/// A number of bytes, with K, M, G or T behind it where it is in units of 1000; a usage error
/// otherwise.
double parse_bytes(const std::string& option, const std::string& text) {
  constexpr std::string_view units = "KMGT";
  const std::size_t unit = text.empty() ? std::string_view::npos : units.find(text.back());
  const bool plain = unit == std::string_view::npos;
  const double number = parse_positive(option, plain ? text : text.substr(0, text.size() - 1));
  return plain ? number : number * std::pow(1000.0, static_cast<double>(unit + 1));
}

void add_batch_options(CLI::App& app, Options& options) {
  app.add_flag("-r,--recursive", options.recursive,
               "Photos in folders of folders as well; their folders are kept below --output");
  app.add_flag("--force", options.force, "Do photos again that are done");
  app.add_option(
         "--jobs", options.jobs,
         "Photos at a time, one thread each (default: as many as cores; a photo alone takes "
         "all)")
      ->check(CLI::Range(1, 4096))
      ->option_text("N");
  app.add_option("--threads", options.threads, "Threads of each photo")
      ->check(CLI::Range(1, 4096))
      ->option_text("N");
  app.add_option_function<std::string>(
         "--memory",
         [&](const std::string& text) { options.memory = parse_bytes("--memory", text); },
         "For all photos at a time, as 4G; the next one waits (default three quarters of what is "
         "free)")
      ->option_text("BYTES");
  app.add_option_function<std::string>(
         "--shard",
         [&](const std::string& text) {
           try {
             options.shard = parse_shard(text, [](const char* name) { return std::getenv(name); });
           } catch (const std::invalid_argument& error) {
             throw CLI::ValidationError("--shard", error.what());
           }
         },
         "Part I of N of the photos, I = 0 .. N-1, dealt by their names; auto: as Slurm, "
         "Kubernetes, Open MPI or PMI tell, auto/N where N is not told")
      ->option_text("I/N|auto");
}

}  // namespace

std::variant<Options, ExitStatus> parse_options(int count, char** arguments) {
  CLI::App app(description, "segment");
  Options options;
  add_work_options(app, options);
  add_attention_options(app, options);
  add_finish_options(app, options);
  add_output_options(app, options);
  add_batch_options(app, options);
  try {
    app.parse(count, arguments);
    settle_attention(app, options);
    if (app.count("--threshold") == 0 && options.segments == 0 && options.attention.empty())
      options.thresholds = {1.3, 1.3, 1.3};
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.force = options.force || options.wants_profile();
  if (options.inputs.empty() && options.attention.empty())
    options.inputs.emplace_back(DIFFSEG_EXAMPLE_DATA "/chelsea.jpg");
  return options;
}

}  // namespace cli
