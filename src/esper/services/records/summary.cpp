#include "esper/services/records/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "esper/base/text.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/records/run_files.h"
#include "esper/services/records/seed_stories.h"
#include "esper/services/records/split_stories.h"

namespace esper::records {

namespace {

using nlohmann::json;

std::string why_nothing_grew(const json& run) {
    const auto why = text_of(run, "waiting_for");
    return why.empty() ? "Nothing grew in this run.\n"
                       : "Nothing grew in this run: " + printable(why) + ".\n";
}

std::string counted(const std::vector<SeedStory>& stories) {
    std::string out = fmt::format("{} germinated", stories.size());
    for (const auto outcome : {SeedOutcome::kKept, SeedOutcome::kCulled, SeedOutcome::kCancelled,
                               SeedOutcome::kRolledBack, SeedOutcome::kAlive}) {
        const auto n = count(stories, outcome);
        const bool always = outcome == SeedOutcome::kKept || outcome == SeedOutcome::kCulled;
        if (n > 0 || always)
            out += fmt::format(", {} {}{}", n, outcome == SeedOutcome::kAlive ? "still " : "",
                               to_text(outcome));
    }
    return out;
}

std::string growth_of(const json& run, const std::vector<Event>& events) {
    const auto stories = seed_stories(events);
    const auto splits = split_stories(events);
    if (stories.empty() && splits.empty()) return why_nothing_grew(run);
    std::string out = "What grew, and why\n";
    for (const auto& split : splits) out += "  " + printable(in_words(split)) + "\n";
    for (const auto& s : stories) {
        out += fmt::format("  {}  {} at {}\n", s.seed, s.blueprint, s.anchor);
        out += fmt::format("      step {:5}  germinated: {}\n", s.germinated, s.why_germinated);
        if (s.outcome == SeedOutcome::kAlive) continue;
        out += fmt::format("      step {:5}  {}: {}\n", s.ended, to_text(s.outcome), s.why_ended);
    }
    return out + fmt::format("  {}{} parameters became {}\n",
                             stories.empty() ? "" : counted(stories) + "; ",
                             human_count(number_of(run, "parameters_initial").value_or(0)),
                             human_count(number_of(run, "parameters").value_or(0)));
}

// What the process that ended the run has seen of its kernels.
std::string calls_of(const json& use) {
    double calls = 0;
    double errors = 0;
    double seconds = 0;
    for (const auto& [seed, of] : use.items()) {
        calls += number_of(of, "calls").value_or(0);
        errors += number_of(of, "errors").value_or(0);
        seconds += 1e-6 * number_of(of, "mean_us").value_or(0) *
                   (number_of(of, "calls").value_or(0) - number_of(of, "guarded").value_or(0));
    }
    if (calls < 1) return "";
    return fmt::format("; {} calls took {:.2f} s, {:.0f} failed", human_count(calls), seconds,
                       errors);
}

// Of kernels one sentence each: how many seeds had one and how much faster these were measured to
// be; why the others had none, by reason; what was refused.
std::string kernels_of(const json& run) {
    const auto kernels = run.value("kernels", json::object());
    const auto seeds = kernels.value("seeds", json::array());
    if (seeds.empty()) return "";
    double least = 0;
    double most = 0;
    std::int64_t with = 0;
    std::map<std::string, std::vector<std::string>> without;  // by their beginnings
    for (const auto& seed : seeds) {
        if (const auto gain = number_of(seed, "gain")) {
            least = with == 0 ? *gain : std::min(least, *gain);
            most = std::max(most, *gain);
            ++with;
        } else {
            const auto why = text_of(seed, "why");
            without[why.substr(0, why.find(": "))].push_back(why);
        }
    }
    auto out = fmt::format("Kernels: {} of {} seeds ran a native kernel", with, seeds.size());
    const auto low = fmt::format("{:.2f}", least);
    const auto high = fmt::format("{:.2f}", most);
    if (with > 0)
        out += fmt::format(", measured at {} times the operators' speed",
                           low == high ? low : low + " to " + high);
    out += calls_of(kernels.value("use", json::object()));
    for (const auto& [beginning, reasons] : without) {
        const bool alike = std::ranges::count(reasons, reasons.front()) == std::ssize(reasons);
        out += fmt::format("; {} ran as operators: {}", reasons.size(),
                           printable(alike ? reasons.front() : beginning));
    }
    const auto refused = kernels.value("refused", json::array());
    for (const auto& kernel : refused)
        if (kernel.is_string()) out += "\n  refused: " + printable(kernel.get<std::string>());
    return out + "\n";
}

std::string samples_of(const std::vector<Event>& events) {
    std::string out;
    for (const auto& event : events) {
        // What was asked for in between is for the page.
        if (!event.is("sample") || event.text("when").starts_with("after epoch")) continue;
        out += fmt::format("\nText sampled {} (step {})\n", event.text("when"), event.step());
        for (const auto& line : split(event.text("text"), '\n'))
            out += "  | " + printable(line) + "\n";
    }
    return out;
}

}  // namespace

std::string metrics_in_words(const json& run, const std::string& part) {
    struct Figure {
        const char* name;
        const char* text;
        double scale;
    };
    static constexpr Figure kFigures[] = {{"accuracy", "accuracy {:.2f} %", 100},
                                          {"top5_accuracy", "top-5 {:.2f} %", 100},
                                          {"f1", "F1 {:.4f}", 1},
                                          {"auc", "AUC {:.4f}", 1},
                                          {"rmse", "RMSE {:.5g}", 1},
                                          {"perplexity", "perplexity {:.4g}", 1},
                                          {"bits_per_byte", "{:.4f} bits a byte", 1}};
    auto metrics = run.value(part + "_metrics", json::object());
    if (const auto share = number_of(run, part + "_accuracy"); metrics.empty() && share)
        metrics["accuracy"] = *share;
    std::string out;
    for (const auto& figure : kFigures)
        if (const auto value = number_of(metrics, figure.name))
            out += ", " + fmt::format(fmt::runtime(figure.text), *value * figure.scale);
    return out;
}

namespace {

// `training 84.1 %, measuring 2.0 %`: the largest first, what is below a twentieth of a per cent
// left out.
std::string shares_of(const json& run, const std::string& key) {
    std::vector<std::pair<double, std::string>> parts;
    double all = 0;
    const auto amounts = run.value(key, json::object());
    for (const auto& [name, amount] : amounts.items())
        if (amount.is_number() && amount.get<double>() > 0) {
            parts.emplace_back(amount.get<double>(), name);
            all += amount.get<double>();
        }
    std::ranges::sort(parts, std::greater{});
    std::string out;
    for (const auto& [amount, name] : parts)
        if (amount >= 5e-4 * all)
            out += fmt::format("{}{} {:.1f} %", out.empty() ? "" : ", ", printable(name),
                               100 * amount / all);
    return out;
}

std::string memory_in_words(const json& run) {
    const auto peak = number_of(run, "peak_resident_bytes");
    return peak ? fmt::format(", {:.0f} MB of memory at most", *peak * 1e-6) : "";
}

std::string figures_of(const json& run) {
    std::string out;
    if (const auto loss = number_of(run, "val_loss"))
        out += fmt::format("validation, last  loss {:.4f}{} (step {})\n", *loss,
                           metrics_in_words(run, "val"), integer_of(run, "steps"));
    if (const auto loss = number_of(run, "best_val_loss"))
        out += fmt::format("validation, best  loss {:.4f} (step {})\n", *loss,
                           integer_of(run, "best_step"));
    if (const auto loss = number_of(run, "test_loss")) {
        out += "test";
        if (run.contains("test_checkpoint"))
            out += fmt::format(", {} checkpoint (step {})", text_of(run, "test_checkpoint"),
                               integer_of(run, "test_step"));
        out += fmt::format("  loss {:.4f}{}\n", *loss, metrics_in_words(run, "test"));
    }
    if (const auto flops = number_of(run, "flops_total"))
        out += fmt::format("{} FLOPs in {}{}\n", human_count(*flops),
                           human_seconds(number_of(run, "wall_seconds").value_or(0)),
                           memory_in_words(run));
    for (const auto& [title, key] : {std::pair{"FLOPs", "flops"}, std::pair{"time", "seconds"}})
        if (const auto shares = shares_of(run, key); !shares.empty())
            out += fmt::format("  of the {}: {}\n", title, shares);
    return out;
}

}  // namespace

Result<std::string> summary_of_run(const std::filesystem::path& folder) {
    ESPER_TRY(const auto run, read_run_json(folder));
    ESPER_TRY(const auto events, read_events(folder));
    return "\n" + growth_of(run, events) + kernels_of(run) + samples_of(events) + "\n" +
           figures_of(run) +
           fmt::format("report: {}\nexport to PyTorch: esper export {}\n",
                       (folder / "report.html").string(), folder.string());
}

}  // namespace esper::records
