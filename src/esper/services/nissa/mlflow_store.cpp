#include "esper/services/nissa/mlflow_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/own_file.h"
#include "esper/base/text.h"
#include "esper/services/nissa/run_times.h"
#include "esper/services/nissa/settings.h"
#include "esper/services/records/run_files.h"

namespace esper::nissa {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMostName = 250;
constexpr std::size_t kMostParam = 6000;
constexpr std::int64_t kMillisecond = 1'000'000;

// MLflow's own numbers (mlflow.entities.RunStatus, SourceType).
constexpr int kRunning = 1, kFinished = 3, kFailed = 4, kKilled = 5;
constexpr int kLocal = 4;

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kMostName && text.front() != '.' &&
           std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-' || c == '.' || c == ' ';
           });
}

// JSON texts are YAML, whatever stands in them.
std::string quoted(const std::string& text) {
    return json(text).dump(-1, ' ', true, json::error_handler_t::replace);
}

int status_of(const json& record) {
    const auto status = records::text_of(record, "status");
    if (status == "done") return kFinished;
    if (status == "failed") return kFailed;
    return status == "stopped" ? kKilled : kRunning;
}

Status write_below(const fs::path& folder, const std::string& name, const std::string& content) {
    return write_file_atomic(folder / name, content);
}

Status make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (!error) return {};
    return fail(FileError::kUnwritable, "cannot make " + folder.string() + ": " + error.message());
}

// MLflow makes ids of 18 digits itself.
std::string experiment_id(const std::string& name) {
    std::string digits;
    for (const char c : sha256("mlflow experiment " + name).hex())
        digits += static_cast<char>('0' + (c <= '9' ? c - '0' : c - 'a') % 10);
    return "1" + digits.substr(0, 17);
}

Status write_experiment(const fs::path& folder, const std::string& id, const std::string& name,
                        std::int64_t ms) {
    ESPER_CHECK_STATUS(make_folder(folder));
    if (fs::exists(folder / "meta.yaml")) return {};
    return write_below(folder, "meta.yaml",
                       fmt::format("artifact_location: {}\ncreation_time: {}\nexperiment_id: '{}'\n"
                                   "last_update_time: {}\nlifecycle_stage: active\nname: {}\n",
                                   quoted("file://" + folder.string()), ms, id, ms, quoted(name)));
}

struct Curves {
    std::map<std::string, std::string> lines;  ///< of each metric: `time value step`
    std::int64_t last_ms = 0;
    std::int64_t last_step = 0;
};

// MLflow reads `nan` and `inf` as Python does, which is how they stand in metrics.csv.
Result<Curves> curves_of(const fs::path& run, const RunTimes& times) {
    ESPER_TRY(const auto text, read_own_file(run / "metrics.csv"));
    Curves curves;
    std::vector<std::string> columns;
    for (const auto& line : split(text.substr(0, text.rfind('\n')), '\n')) {
        const auto cells = split(line, ',');
        if (columns.empty()) {
            columns = cells;
            continue;
        }
        const auto number = [&](std::string_view name) {
            const auto at = std::ranges::find(columns, name) - columns.begin();
            const auto place = static_cast<std::size_t>(at);
            return place < cells.size() ? std::strtod(cells[place].c_str(), nullptr) : std::nan("");
        };
        const double step = number("step"), seconds = number("seconds");
        if (!std::isfinite(step) || std::abs(step) > 1e15) continue;
        curves.last_step = static_cast<std::int64_t>(step);
        curves.last_ms =
            (std::isfinite(seconds) ? times.after(seconds) : times.of_step(curves.last_step)) /
            kMillisecond;
        for (std::size_t i = 0; i < std::min(columns.size(), cells.size()); ++i) {
            if (!is_name(columns[i]) || columns[i] == "step" || cells[i].empty()) continue;
            char* end = nullptr;
            const double value = std::strtod(cells[i].c_str(), &end);
            if (*end == '\0')
                curves.lines[columns[i]] +=
                    fmt::format("{} {} {}\n", curves.last_ms, value, curves.last_step);
        }
    }
    return curves;
}

Status write_metrics(const fs::path& folder, const json& record, const Curves& curves) {
    ESPER_CHECK_STATUS(make_folder(folder));
    for (const auto& [name, lines] : curves.lines)
        ESPER_CHECK_STATUS(write_below(folder, name, lines));
    for (const auto& [name, value] : record.items())
        if (value.is_number() && is_name(name) && !curves.lines.contains(name))
            ESPER_CHECK_STATUS(write_below(
                folder, name,
                fmt::format("{} {} {}\n", curves.last_ms, value.get<double>(), curves.last_step)));
    return {};
}

Status write_parameters(const fs::path& folder, const fs::path& run) {
    ESPER_CHECK_STATUS(make_folder(folder));
    ESPER_TRY(const auto config, records::read_config_text(run));
    const auto settings = settings_of(config);
    for (const auto& [key, value] : settings.items()) {
        if (!is_name(key) || !value.is_string()) continue;
        auto text = value.get<std::string>().substr(0, kMostParam);
        std::ranges::replace(text, '\n', ' ');
        ESPER_CHECK_STATUS(write_below(folder, key, text));
    }
    return {};
}

Status write_tags(const fs::path& folder, const json& record, const std::string& name) {
    ESPER_CHECK_STATUS(make_folder(folder));
    ESPER_CHECK_STATUS(write_below(folder, "mlflow.runName", name));
    ESPER_CHECK_STATUS(write_below(folder, "mlflow.source.name", "esper"));
    for (const char* key : {"task", "precision", "program_sha256"})
        if (const auto text = records::text_of(record, key); !text.empty())
            ESPER_CHECK_STATUS(write_below(folder, std::string("esper.") + key, text));
    return {};
}

Status write_artifacts(const fs::path& folder, const fs::path& run) {
    ESPER_CHECK_STATUS(make_folder(folder));
    for (const char* name :
         {"run.json", "config.yaml", "metrics.csv", "events.jsonl", "report.html"}) {
        const auto text = read_own_file(run / name);
        if (text)
            ESPER_CHECK_STATUS(write_below(folder, name, *text));
        else if (!text.error().is(FileError::kNotFound))
            return fail(text.error());
    }
    return {};
}

}  // namespace

Result<MlflowExport> write_mlflow(const fs::path& run, const fs::path& store,
                                  const std::string& experiment) {
    ESPER_CHECK_STATUS(records::check_run_folder(run));
    ESPER_TRY(const auto record, records::read_run_json(run));
    ESPER_TRY(const auto times, RunTimes::read(run));
    ESPER_TRY(const auto curves, curves_of(run, times));
    const auto began = times.after(0) / kMillisecond;
    const auto above = fs::absolute(store) / experiment_id(experiment);
    ESPER_CHECK_STATUS(make_folder(fs::absolute(store)));
    ESPER_CHECK_STATUS(write_experiment(above, experiment_id(experiment), experiment, began));
    MlflowExport done;
    done.id = sha256("mlflow run " + times.fingerprint()).hex().substr(0, 32);
    done.folder = above / done.id;
    const auto name = run.filename().empty() ? run.parent_path().filename() : run.filename();
    ESPER_CHECK_STATUS(write_metrics(done.folder / "metrics", record, curves));
    ESPER_CHECK_STATUS(write_parameters(done.folder / "params", run));
    ESPER_CHECK_STATUS(write_tags(done.folder / "tags", record, name.string()));
    ESPER_CHECK_STATUS(write_artifacts(done.folder / "artifacts", run));
    const int status = status_of(record);
    // Last: a folder without it is none that MLflow knows.
    ESPER_CHECK_STATUS(write_below(
        done.folder, "meta.yaml",
        fmt::format("artifact_uri: {}\nend_time: {}\nentry_point_name: ''\nexperiment_id: '{}'\n"
                    "lifecycle_stage: active\nrun_id: {}\nrun_name: {}\nrun_uuid: {}\n"
                    "source_name: ''\nsource_type: {}\nsource_version: ''\nstart_time: {}\n"
                    "status: {}\ntags: []\nuser_id: esper\n",
                    quoted("file://" + (done.folder / "artifacts").string()),
                    status == kRunning ? "null" : std::to_string(curves.last_ms),
                    experiment_id(experiment), done.id, quoted(name.string()), done.id, kLocal,
                    began, status)));
    return done;
}

}  // namespace esper::nissa
