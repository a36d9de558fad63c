#include "esper/cli/summary.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/cli/run_files.h"
#include "esper/cli/seed_stories.h"

namespace esper::cli {

namespace {

using nlohmann::json;

double number(const json& object, const char* key) {
    const auto it = object.find(key);
    return it != object.end() && it->is_number() ? it->get<double>() : 0;
}

std::string growth_of(const json& run, const json& events) {
    const auto stories = seed_stories(events);
    if (stories.empty()) return "Nothing grew in this run.\n";
    std::string out = "What grew, and why\n";
    for (const auto& s : stories) {
        out += fmt::format("  {}  {} at {}\n", s.seed, s.blueprint, s.anchor);
        out += fmt::format("      step {:5}  germinated: {}\n", s.germinated, s.why_germinated);
        if (s.outcome == "alive") continue;
        out += fmt::format("      step {:5}  {}: {}\n", s.ended, s.outcome, s.why_ended);
    }
    const auto seeds = run.value("seeds", json::object());
    return out + fmt::format("  {} kept, {} culled of {} germinated; {} parameters became {}\n",
                             number(seeds, "fossilized"), number(seeds, "culled"),
                             number(seeds, "germinated"),
                             human_count(number(run, "parameters_initial")),
                             human_count(number(run, "parameters")));
}

std::string samples_of(const json& events) {
    std::string out;
    for (const auto& event : events) {
        if (event.value("event", "") != "sample") continue;
        out += fmt::format("\nText sampled {} (step {})\n", event.value("when", ""),
                           event.value("step", std::int64_t{0}));
        for (const auto& line : split(event.value("text", ""), '\n')) out += "  | " + line + "\n";
    }
    return out;
}

}  // namespace

std::string summary_of_run(const std::filesystem::path& folder) {
    const auto run = read_run_json(folder);
    if (!run) return "";
    const auto events = read_events(folder);
    auto out = "\n" + growth_of(*run, events) + samples_of(events);
    out += fmt::format("\nvalidation loss {:.4f}, accuracy {:.2f} %; {} FLOPs in {}\n",
                       number(*run, "val_loss"), number(*run, "val_accuracy") * 100,
                       human_count(number(*run, "flops_total")),
                       human_seconds(number(*run, "wall_seconds")));
    return out + fmt::format("report: {}\nexport to PyTorch: esper export {}\n",
                             (folder / "report.html").string(), folder.string());
}

}  // namespace esper::cli
