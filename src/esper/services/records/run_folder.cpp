#include "esper/services/records/run_folder.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace esper::tolaria {

namespace fs = std::filesystem;

namespace {

bool has(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

// Temporary files of a process that was killed while it wrote.
void remove_temporaries(const fs::path& folder) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const auto name = entry.path().filename().string();
        if (name.starts_with(".esper-") && name.ends_with(".tmp")) fs::remove(entry, ignored);
    }
}

}  // namespace

RunFolder::RunFolder(fs::path path, RunLock lock, LineAppender events, LineAppender metrics)
    : path_(std::move(path)),
      lock_(std::move(lock)),
      events_(std::move(events)),
      metrics_(std::move(metrics)) {}

Result<RunFolder> RunFolder::open_files(const fs::path& folder, RunLock lock) {
    ESPER_TRY(auto events, LineAppender::open(folder / "events.jsonl"));
    ESPER_TRY(auto metrics, LineAppender::open(folder / "metrics.csv"));
    return RunFolder(folder, std::move(lock), std::move(events), std::move(metrics));
}

Result<RunFolder> RunFolder::create(const fs::path& folder) {
    const bool begun_before = RunLock::is_there(folder);
    std::error_code error;
    fs::create_directories(folder / "checkpoints", error);
    if (error)
        return fail(TolariaError::kBadRunFolder,
                    "cannot make " + folder.string() + ": " + error.message());
    ESPER_TRY(auto lock, RunLock::take(folder));
    if (has(folder / "run.json"))
        return fail(TolariaError::kBadRunFolder,
                    folder.string() + " already holds a run; continue it with 'esper resume " +
                        folder.string() + "' or name another folder with --run");
    if (begun_before) {
        for (const auto* name : {"config.yaml", "events.jsonl", "metrics.csv", "journal.jsonl"})
            fs::remove(folder / name, error);
        for (const auto& entry : fs::directory_iterator(folder / "checkpoints", error))
            fs::remove(entry, error);
        remove_temporaries(folder);
    }
    return open_files(folder, std::move(lock));
}

Result<RunFolder> RunFolder::open(const fs::path& folder) {
    if (!has(folder / "run.json"))
        return fail(
            TolariaError::kBadRunFolder,
            folder.string() + (RunLock::is_there(folder)
                                   ? " holds a run that was ended before it had begun (it has no "
                                     "run.json); start it again with 'esper train'"
                                   : " is not a run's folder (it has no run.json)"));
    ESPER_TRY(auto lock, RunLock::take(folder));
    remove_temporaries(folder);
    remove_temporaries(folder / "checkpoints");
    return open_files(folder, std::move(lock));
}

fs::path RunFolder::next_free(const fs::path& base, const std::string& name) {
    for (int n = 1;; ++n) {
        auto candidate = base / (name + "-" + std::to_string(n));
        if (!fs::exists(candidate)) return candidate;
    }
}

Status RunFolder::event(const std::string& kind, std::int64_t step, std::int64_t epoch,
                        nlohmann::json detail) {
    detail["event"] = kind;
    detail["step"] = step;
    detail["epoch"] = epoch;
    ESPER_CHECK_STATUS(events_.append(detail.dump()));
    if (listener_) listener_(detail);
    return {};
}

Status RunFolder::metrics(const std::vector<std::pair<std::string, double>>& row) {
    std::string head;
    std::string line;
    for (const auto& [name, value] : row) {
        head += (head.empty() ? "" : ",") + name;
        line += fmt::format("{}{}", line.empty() ? "" : ",", value);
    }
    if (metrics_.size() == 0) ESPER_CHECK_STATUS(metrics_.append(head));
    return metrics_.append(line);
}

Status RunFolder::write_run_json(const nlohmann::json& run) {
    return write_file_atomic(path_ / "run.json", run.dump(2) + "\n");
}

Result<nlohmann::json> RunFolder::read_run_json() const {
    ESPER_TRY(auto text, read_file(path_ / "run.json"));
    auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object())
        return fail(TolariaError::kBadRunFolder,
                    (path_ / "run.json").string() + " is not a JSON object");
    return json;
}

std::map<std::string, std::uint64_t> RunFolder::lengths() const {
    return {{"events.jsonl", events_.size()}, {"metrics.csv", metrics_.size()}};
}

Status RunFolder::cut_back(const std::map<std::string, std::uint64_t>& lengths) {
    for (const auto& [name, size] : lengths) ESPER_CHECK_STATUS(truncate_file(path_ / name, size));
    ESPER_TRY(events_, LineAppender::open(path_ / "events.jsonl"));
    ESPER_TRY(metrics_, LineAppender::open(path_ / "metrics.csv"));
    return {};
}

Status RunFolder::sync() {
    ESPER_CHECK_STATUS(events_.sync());
    return metrics_.sync();
}

}  // namespace esper::tolaria
