#include "esper/cli/run_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "esper/base/clock.h"
#include "esper/base/text.h"
#include "esper/services/nissa/run_index.h"
#include "esper/services/records/fields.h"
#include "esper/services/records/printable_text.h"

namespace esper::cli {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kNothing = "-";

// A run of a Python loop says on which path its module ran; what its configuration says of hosts
// and data is nobody's choice.
std::string host_of(const json& record, const json& settings) {
    if (record.contains("path")) return "a module (Python)";
    const auto path = records::text_of(settings, "model.path");
    return path.empty() ? records::text_of(settings, "model.host")
                        : fs::path(path).filename().string();
}

std::string data_of(const json& record, const json& settings) {
    if (record.contains("path")) return "";
    const auto kind = records::text_of(settings, "data.kind");
    if (kind == "drawn" || kind.starts_with("cifar")) return kind;
    auto path = fs::path(records::text_of(settings, "data.path"));
    if (!path.has_filename()) path = path.parent_path();
    return path.empty() ? kind : path.filename().string();
}

Status check_folder(const fs::path& folder) {
    std::error_code ignored;
    if (fs::is_directory(folder, ignored)) return {};
    return fail(nissa::NissaError::kNoFolder,
                folder.string() +
                    " is no folder; name a run's folder, or one with runs in it ('esper train' "
                    "makes runs/)");
}

bool is_run(const fs::path& folder) { return nissa::look_at(folder / "run.json").is_there; }

std::string shown(const char* format, std::optional<double> value, double scale = 1) {
    return value ? fmt::format(fmt::runtime(format), *value * scale) : kNothing;
}

}  // namespace

ListedRun look_at_run(nissa::Run& run, std::string name) {
    run.refresh(system_clock().now_ns());
    ListedRun listed{std::move(name), json::parse(run.row()), run.settings(), ""};
    const auto detail = run.detail();
    const auto& record = detail["run"];
    if (const auto data = record.find("data"); data != record.end() && data->is_object())
        listed.fingerprint = records::text_of(*data, "fingerprint");
    listed.row["host"] = host_of(record, listed.settings);
    listed.row["data"] = data_of(record, listed.settings);
    return listed;
}

Result<std::vector<ListedRun>> runs_below(const fs::path& folder) {
    ESPER_CHECK_STATUS(check_folder(folder));
    nissa::RunIndex index({folder});
    std::vector<ListedRun> runs;
    for (const auto& run : index.scan().come) runs.push_back(look_at_run(*run, run->id()));
    std::ranges::stable_sort(runs, [](const auto& a, const auto& b) {
        return ::strverscmp(a.name.c_str(), b.name.c_str()) < 0;
    });
    return runs;
}

Result<std::vector<ListedRun>> runs_named(const std::vector<std::string>& paths) {
    std::vector<ListedRun> all;
    for (const auto& path : paths) {
        ESPER_CHECK_STATUS(check_folder(path));
        if (is_run(path)) {
            nissa::Run run(path, path);
            all.push_back(look_at_run(run, path));
            continue;
        }
        ESPER_TRY(auto below, runs_below(path));
        if (below.empty())
            return fail(records::RecordsError::kBadRunFolder,
                        path + " is not a run's folder (it has no run.json), and holds no run");
        for (auto& run : below) {
            run.name = (fs::path(path) / run.name).string();
            all.push_back(std::move(run));
        }
    }
    for (const auto& run : all)
        if (!run.is_readable())
            return fail(nissa::NissaError::kDamagedFile,
                        fmt::format("{}/run.json cannot be read: {}", run.name,
                                    records::text_of(run.row["alerts"].back(), "text")));
    return all;
}

std::string loss_cell(const json& row, const char* key) {
    return shown("{:.4f}", records::number_of(row, key));
}

std::string validation_cell(const json& row) {
    return loss_cell(row, records::number_of(row, "best_val_loss") ? "best_val_loss" : "val_loss");
}

std::string accuracy_cell(const json& row) {
    if (const auto test = records::number_of(row, "test_accuracy"))
        return shown("{:.2f} %", test, 100);
    if (const auto last = records::number_of(row, "val_accuracy"))
        return shown("{:.2f} %", last, 100);
    const auto metrics = row.find("val_metrics");
    if (metrics == row.end() || !metrics->is_object()) return kNothing;
    const auto rmse = records::number_of(*metrics, "rmse");
    return rmse ? shown("RMSE {:.4g}", rmse) : kNothing;
}

std::string count_cell(const json& row, const char* key) {
    const auto value = records::number_of(row, key);
    return value ? human_count(*value) : kNothing;
}

std::string parameters_cell(const json& row) {
    const auto first = count_cell(row, "parameters_initial");
    const auto now = count_cell(row, "parameters");
    return first == now || first == kNothing ? now : first + " → " + now;
}

std::string seeds_cell(const json& row) {
    const auto seeds = row.find("seeds");
    if (seeds == row.end() || !seeds->is_object()) return kNothing;
    if (records::integer_of(*seeds, "germinated") == 0) return kNothing;
    return fmt::format("{}/{}", records::integer_of(*seeds, "fossilized"),
                       records::integer_of(*seeds, "culled"));
}

std::string seconds_cell(const json& row) {
    const auto seconds = records::number_of(row, "wall_seconds");
    return seconds ? human_seconds(*seconds) : kNothing;
}

}  // namespace esper::cli
