#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "esper/base/files.h"
#include "esper/services/ports/event_log.h"
#include "esper/services/records/records_errors.h"
#include "esper/services/records/run_lock.h"

namespace esper::records {

/// A run's folder: config.yaml, run.json, metrics.csv, events.jsonl, journal.jsonl, checkpoints/,
/// lock. It belongs to one process at a time (RunLock). run.json is written last when a run starts,
/// so a folder that has one can be resumed.
/// How far the growing files had come is part of a checkpoint, so that a resumed run cuts off what
/// was written after it and the files end up as those of an undisturbed run.
/// A folder that was created and is given up before its first run.json (the start failed) takes
/// what it made with it.
class RunFolder final : public ports::EventLog {
  public:
    /// Makes the folder; refuses one that already holds a run, and one that holds anything else:
    /// nothing of a person's is written beside or over. What a start that was cut short left there
    /// is removed. Errors: kBadRunFolder, kFolderInUse.
    static Result<RunFolder> create(const std::filesystem::path& folder);
    /// Opens an existing run. Errors: kBadRunFolder, kFolderInUse, OwnFileError::kSymbolicLink.
    static Result<RunFolder> open(const std::filesystem::path& folder);
    /// The first free `runs/<name>-<n>` below `base`.
    static std::filesystem::path next_free(const std::filesystem::path& base,
                                           const std::string& name);

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
    std::filesystem::path journal() const { return path_ / "journal.jsonl"; }

    /// One line of events.jsonl: {"event", "step", "epoch", …}. Errors: kBadRecord for what
    /// event_kinds() does not declare, those of writing.
    Status event(const std::string& kind, std::int64_t step, std::int64_t epoch,
                 nlohmann::json detail) override;
    /// From now on the time of each event goes into event_times.csv: where its line begins in
    /// events.jsonl, and nanoseconds since 1970.
    Status note_times();
    /// Called with each event once it is written.
    void on_event(std::function<void(const nlohmann::json&)> listener) {
        listener_ = std::move(listener);
    }
    /// One row of metrics.csv; the first row of a run fixes the columns, so that a run of an older
    /// version goes on with those it has.
    Status metrics(const std::vector<std::pair<std::string, double>>& row);
    /// From the first one on the folder is a run's and stays.
    Status write_run_json(const nlohmann::json& run);
    /// Notes in sessions.csv that training begins or goes on now, at so many seconds of training
    /// since the run began: a line of these seconds and nanoseconds since 1970.
    Status note_session(double seconds);
    /// Error: kFolderGone where the folder was moved or removed since it was opened. What appends
    /// to its files would go along; what is written anew would make it a second time.
    Status check_is_there() const;
    /// The folder stays although it has no run.json yet.
    void keep() { made_.clear(); }
    Result<nlohmann::json> read_run_json() const;

    /// Lengths of the growing files, to be put into a checkpoint and given back on resume.
    std::map<std::string, std::uint64_t> lengths() const;
    Status cut_back(const std::map<std::string, std::uint64_t>& lengths);
    /// On return the growing files are on the disk, as a checkpoint claims them to be.
    Status sync();

    RunFolder(RunFolder&& other) noexcept;
    RunFolder& operator=(RunFolder&& other) noexcept;
    ~RunFolder() override;

  private:
    RunFolder(std::filesystem::path path, RunLock lock, LineAppender events, LineAppender metrics);
    static Result<RunFolder> open_files(const std::filesystem::path& folder, RunLock lock);
    std::filesystem::path path_;
    std::vector<std::filesystem::path> made_;  ///< to be taken away again, innermost first
    RunLock lock_;
    LineAppender events_;
    LineAppender metrics_;
    std::optional<LineAppender> times_;
    std::vector<std::string> columns_;  ///< of metrics.csv; empty while it has none
    std::function<void(const nlohmann::json&)> listener_;
};

}  // namespace esper::records
