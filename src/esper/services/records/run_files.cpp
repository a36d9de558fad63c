#include "esper/services/records/run_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/own_file.h"
#include "esper/base/text.h"

namespace esper::records {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kFiles[] = {"run.json",    "config.yaml",     "events.jsonl",
                                  "metrics.csv", "journal.jsonl",   "lock",
                                  "checkpoints", "event_times.csv", kSessionsFile};

Result<std::string> text_or_empty(const fs::path& path) {
    auto text = read_own_file(path);
    if (!text && text.error().is(FileError::kNotFound)) return std::string();
    return text;
}

Status refuse_link(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_symlink(fs::symlink_status(path, ignored))) return {};
    return fail(OwnFileError::kSymbolicLink,
                path.string() +
                    " is a symbolic link; a run's files are never links, so it is not "
                    "followed. Put the file itself there if it is the run's");
}

}  // namespace

Status refuse_links(const fs::path& folder) {
    for (const auto* name : kFiles) ESPER_CHECK_STATUS(refuse_link(folder / name));
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder / "checkpoints", ignored))
        ESPER_CHECK_STATUS(refuse_link(entry.path()));
    return {};
}

Status check_run_folder(const fs::path& folder) {
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(folder / "run.json", ignored)))
        return fail(RecordsError::kBadRunFolder,
                    folder.string() + " is not a run's folder (it has no run.json)");
    return refuse_links(folder);
}

Result<json> read_run_json(const fs::path& folder) {
    using enum FieldType;
    // Files of older versions lack some of these; none may have another type.
    static constexpr Field kShown[] = {{"status", kText},
                                       {"name", kText},
                                       {"epochs", kInteger, false},
                                       {"steps", kInteger, false},
                                       {"train_loss", kNumber, false},
                                       {"val_loss", kNumber, false},
                                       {"val_accuracy", kNumber, false},
                                       {"best_val_loss", kNumber, false},
                                       {"best_step", kNumber, false},
                                       {"test_loss", kNumber, false},
                                       {"test_accuracy", kNumber, false},
                                       {"test_checkpoint", kText, false},
                                       {"test_step", kNumber, false},
                                       {"parameters", kInteger, false},
                                       {"parameters_initial", kInteger, false},
                                       {"flops_per_example", kNumber, false},
                                       {"flops_total", kNumber, false},
                                       {"wall_seconds", kNumber, false},
                                       {"peak_resident_bytes", kNumber, false},
                                       {"task", kText, false},
                                       {"target", kText, false},
                                       {"val_metrics", kObject, false},
                                       {"test_metrics", kObject, false},
                                       {"test_confusion", kObject, false},
                                       {"waiting_for", kText, false},
                                       {"seeds", kObject, false},
                                       {"program_sha256", kText, false}};
    ESPER_CHECK_STATUS(check_run_folder(folder));
    const auto path = folder / "run.json";
    ESPER_TRY(const auto text, read_own_file(path));
    auto run = parse_object(text);
    if (!run) return fail(run.error().within(path.string()));
    if (auto checked = check_fields(*run, kShown); !checked)
        return fail(checked.error().within(path.string()));
    return run;
}

Result<std::vector<Event>> read_events(const fs::path& folder) {
    const auto path = folder / "events.jsonl";
    ESPER_TRY(const auto text, text_or_empty(path));
    auto lines = split(text, '\n');
    lines.pop_back();  // empty, or torn
    std::vector<Event> events;
    events.reserve(lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
        auto event = Event::parse(lines[i]);
        if (!event)
            return fail(event.error().within(fmt::format("{}, line {}", path.string(), i + 1)));
        events.push_back(std::move(*event));
    }
    return events;
}

Result<std::vector<MetricsRow>> read_metrics(const fs::path& folder) {
    ESPER_TRY(const auto text, text_or_empty(folder / "metrics.csv"));
    auto rows = parse_metrics(text);
    if (!rows) return fail(rows.error().within(folder.string()));
    return rows;
}

Result<std::string> read_config_text(const fs::path& folder) {
    return text_or_empty(folder / "config.yaml");
}

}  // namespace esper::records
