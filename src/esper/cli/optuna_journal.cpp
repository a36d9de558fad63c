#include "esper/cli/optuna_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "esper/base/clock.h"
#include "esper/configs/numbers.h"
#include "esper/services/records/fields.h"
#include "esper/services/tolaria/data/data_errors.h"

namespace esper::cli {

namespace fs = std::filesystem;
using nlohmann::json;
using tolaria::DataError;

namespace {

// Optuna's numbers for what a line does and how a trial ended (JournalOperation, TrialState).
constexpr int kCreateStudy = 0;
constexpr int kSetStudyAttribute = 2;
constexpr int kCreateTrial = 4;
constexpr int kComplete = 1;
constexpr int kFail = 3;
constexpr int kMinimize = 1;

/// The values of one swept key as Optuna knows them.
class Parameter {
  public:
    explicit Parameter(std::vector<std::string> values) : values_(std::move(values)) {
        for (const auto& value : values_) {
            double number = 0;
            if (!configs::read_number(value, number) || !std::isfinite(number)) return;
            numbers_.push_back(number);
        }
    }

    json distribution() const {
        if (!is_number()) {
            json choices = json::array();
            for (const auto& value : values_) choices.push_back(choice(value));
            return of_kind("CategoricalDistribution", {{"choices", choices}});
        }
        const auto [low, high] = std::ranges::minmax(numbers_);
        // A range of a power of ten or more is a matter of factors.
        const bool log = low > 0 && high >= 10 * low;
        if (is_whole())
            return of_kind("IntDistribution", {{"log", log},
                                               {"step", 1},
                                               {"low", std::llround(low)},
                                               {"high", std::llround(high)}});
        return of_kind("FloatDistribution",
                       {{"step", nullptr}, {"low", low}, {"high", high}, {"log", log}});
    }

    /// As Optuna stores it: a number, or the place among the choices.
    double stored(const std::string& value) const {
        const auto place = std::ranges::find(values_, value) - values_.begin();
        return is_number() ? numbers_[static_cast<std::size_t>(place)] : static_cast<double>(place);
    }

  private:
    bool is_number() const { return numbers_.size() == values_.size(); }
    bool is_whole() const {
        return std::ranges::all_of(
            numbers_, [](double v) { return v == std::floor(v) && std::abs(v) < 9e15; });
    }
    static json choice(const std::string& value) {
        if (value == "true" || value == "false") return value == "true";
        return value;
    }
    static json of_kind(const char* name, json attributes) {
        return {{"name", name}, {"attributes", std::move(attributes)}};
    }

    std::vector<std::string> values_;
    std::vector<double> numbers_;
};

std::map<std::string, Parameter> parameters_of(const SweepPlan& plan) {
    std::map<std::string, std::vector<std::string>> values;
    for (const auto& combination : plan.combinations)
        for (const auto& [path, value] : combination.settings)
            if (auto& known = values[path]; std::ranges::find(known, value) == known.end())
                known.push_back(value);
    std::map<std::string, Parameter> parameters;
    for (auto& [path, known] : values) parameters.emplace(path, Parameter(std::move(known)));
    return parameters;
}

// With an offset that every release of Python reads.
std::string time_text(double utc_seconds) {
    auto text = iso8601(static_cast<std::int64_t>(utc_seconds * 1e9));
    if (text.ends_with('Z')) text.replace(text.size() - 1, 1, "+00:00");
    return text;
}

json line(int operation, json fields) {
    fields["op_code"] = operation;
    fields["worker_id"] = "esper-sweep";
    return fields;
}

json trial(const ListedRun* run, const SweepRun& planned, const Combination& combination,
           const std::map<std::string, Parameter>& parameters, const fs::path& folder) {
    json distributions = json::object();
    json values = json::object();
    for (const auto& [path, value] : combination.settings) {
        // Optuna keeps a distribution as a text within the line.
        distributions[path] = parameters.at(path).distribution().dump();
        values[path] = parameters.at(path).stored(value);
    }
    json attributes{{"run", (folder / planned.name).string()},
                    {"combination", combination.name},
                    {"seed", planned.seed}};
    double ended = static_cast<double>(system_clock().utc_ns()) * 1e-9;
    double seconds = 0;
    json loss;
    if (run != nullptr) {
        for (const auto* key : {"val_accuracy", "test_loss", "test_accuracy", "parameters",
                                "flops_total", "wall_seconds"})
            if (const auto value = records::number_of(run->row, key)) attributes[key] = *value;
        ended = records::number_of(run->row, "written").value_or(ended * 1e3) * 1e-3;
        seconds = records::number_of(run->row, "wall_seconds").value_or(0);
        if (const auto value = records::number_of(run->row, "best_val_loss"))
            if (std::isfinite(*value)) loss = *value;
    }
    return line(kCreateTrial,
                {{"study_id", 0},
                 {"state", loss.is_null() ? kFail : kComplete},
                 {"value", loss},
                 {"values", nullptr},
                 {"datetime_start", time_text(ended - std::clamp(seconds, 0.0, ended))},
                 {"datetime_complete", time_text(ended)},
                 {"distributions", distributions},
                 {"params", values},
                 {"user_attrs", attributes},
                 {"system_attrs", json::object()},
                 {"intermediate_values", json::object()}});
}

}  // namespace

Status check_optuna_file(const fs::path& file) {
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(file, ignored)))
        return fail(DataError::kBadOption,
                    fmt::format("--optuna: {} is there already, and Optuna may have added trials "
                                "to it; name a new file",
                                file.string()));
    const auto folder = file.parent_path();
    if (!folder.empty() && !fs::is_directory(folder, ignored))
        return fail(DataError::kBadOption,
                    fmt::format("--optuna: there is no folder {}; make it, or name another file",
                                folder.string()));
    return {};
}

std::string optuna_journal(const fs::path& folder, const SweepPlan& plan,
                           const SweepOutcome& outcome) {
    const auto parameters = parameters_of(plan);
    const auto name = fs::weakly_canonical(folder).filename().string();
    std::vector<json> lines{
        line(kCreateStudy, {{"study_name", name}, {"directions", {kMinimize}}}),
        line(kSetStudyAttribute, {{"study_id", 0}, {"user_attr", {{"config", plan.source}}}})};
    const auto runs = plan.runs();
    for (std::size_t n = 0; n < runs.size(); ++n) {
        const auto found = outcome.done.find(n);
        if (found == outcome.done.end() && !outcome.failed.contains(n)) continue;
        lines.push_back(trial(found == outcome.done.end() ? nullptr : &found->second, runs[n],
                              plan.combinations[runs[n].combination], parameters, folder));
    }
    std::string text;
    for (const auto& entry : lines)
        text += entry.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
    return text;
}

}  // namespace esper::cli
