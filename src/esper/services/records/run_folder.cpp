#include "esper/services/records/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "esper/base/clock.h"
#include "esper/base/own_file.h"
#include "esper/base/text.h"
#include "esper/services/records/events.h"
#include "esper/services/records/new_run_folder.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/records/run_files.h"

namespace esper::records {

namespace fs = std::filesystem;

namespace {

constexpr const char* kTimes = "event_times.csv";

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

// The name of something in the folder, or "" where it is empty or not there.
std::string first_entry(const fs::path& folder) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored))
        return entry.path().filename().string();
    return "";
}

// What a run's start writes, run.json last.
void remove_own_files(const fs::path& folder) {
    std::error_code ignored;
    for (const auto* name : {"run.json", "config.yaml", "events.jsonl", "metrics.csv",
                             "journal.jsonl", kTimes, kSessionsFile})
        fs::remove(folder / name, ignored);
    for (const auto& entry : fs::directory_iterator(folder / "checkpoints", ignored))
        fs::remove(entry, ignored);
}

// Removes what a start has made and nothing else: a folder that holds more is not empty, and stays.
void take_away(const fs::path& folder, const std::vector<fs::path>& made) {
    if (made.empty()) return;
    std::error_code ignored;
    remove_own_files(folder);
    fs::remove(folder / "lock", ignored);
    for (const auto& each : made) fs::remove(each, ignored);
}

// The folders that are not there yet, innermost first.
std::vector<fs::path> folders_to_make(const fs::path& folder) {
    std::error_code ignored;
    std::vector<fs::path> missing{folder / "checkpoints"};
    for (auto at = fs::absolute(folder, ignored); !at.empty() && !has(at); at = at.parent_path())
        missing.push_back(at);
    return missing;
}

// Where the disk or a permission is in the way, the run has failed; a path that cannot be a folder
// was badly chosen.
tl::unexpected<Error> cannot_make(const fs::path& folder, const std::error_code& error) {
    const auto message = "cannot make " + folder.string() + ": " + error.message();
    for (const auto chosen_badly :
         {std::errc::not_a_directory, std::errc::file_exists, std::errc::filename_too_long,
          std::errc::too_many_symbolic_link_levels, std::errc::invalid_argument,
          std::errc::no_such_file_or_directory})
        if (error == chosen_badly) return fail(RecordsError::kBadRunFolder, message);
    return fail(FileError::kUnwritable, message);
}

Status make_folders(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder / "checkpoints", error);
    if (error) return cannot_make(folder, error);
    return {};
}

}  // namespace

RunFolder::RunFolder(fs::path path, RunLock lock, LineAppender events, LineAppender metrics)
    : path_(std::move(path)),
      lock_(std::move(lock)),
      events_(std::move(events)),
      metrics_(std::move(metrics)) {}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)),
      made_(std::exchange(other.made_, {})),
      lock_(std::move(other.lock_)),
      events_(std::move(other.events_)),
      metrics_(std::move(other.metrics_)),
      times_(std::move(other.times_)),
      columns_(std::move(other.columns_)),
      listener_(std::move(other.listener_)) {}

RunFolder& RunFolder::operator=(RunFolder&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(made_, other.made_);
    std::swap(lock_, other.lock_);
    std::swap(events_, other.events_);
    std::swap(metrics_, other.metrics_);
    std::swap(times_, other.times_);
    std::swap(columns_, other.columns_);
    std::swap(listener_, other.listener_);
    return *this;
}

RunFolder::~RunFolder() { take_away(path_, made_); }

Result<RunFolder> RunFolder::open_files(const fs::path& folder, RunLock lock) {
    ESPER_TRY(auto events, LineAppender::open(folder / "events.jsonl"));
    ESPER_TRY(auto metrics, LineAppender::open(folder / "metrics.csv"));
    ESPER_TRY(const auto text, read_own_file(folder / "metrics.csv"));
    RunFolder run(folder, std::move(lock), std::move(events), std::move(metrics));
    if (const auto end = text.find('\n'); end != std::string::npos)
        run.columns_ = split(text.substr(0, end), ',');
    return run;
}

Status check_new_run_folder(const fs::path& folder) {
    if (has(folder / "run.json"))
        return fail(RecordsError::kBadRunFolder, folder.string() +
                                                     " already holds a run; continue it with " +
                                                     command_with("esper resume", folder.string()) +
                                                     " or name another folder with --run");
    if (!RunLock::is_there(folder)) {
        if (const auto first = first_entry(folder); !first.empty())
            return fail(RecordsError::kBadRunFolder,
                        fmt::format("{} is not empty (it holds '{}') and is not a run's folder; "
                                    "name a new or empty folder with --run",
                                    folder.string(), first));
    }
    return refuse_links(folder);
}

Status try_new_run_folder(const fs::path& folder) {
    ESPER_CHECK_STATUS(check_new_run_folder(folder));
    if (!has(folder)) {
        const auto made = folders_to_make(folder);
        auto done = make_folders(folder);
        std::error_code ignored;
        for (const auto& each : made) fs::remove(each, ignored);
        return done;
    }
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
        return cannot_make(folder, std::error_code(errno, std::generic_category()));
    ESPER_TRY(const auto holder, RunLock::holder(folder));
    if (!holder) return {};
    return fail(RecordsError::kFolderInUse,
                fmt::format("{} is in use by process {}", folder.string(), *holder));
}

Result<RunFolder> RunFolder::create(const fs::path& folder) {
    ESPER_CHECK_STATUS(check_new_run_folder(folder));
    auto made = folders_to_make(folder);
    ESPER_CHECK_STATUS(make_folders(folder));
    ESPER_TRY(auto lock, RunLock::take(folder));
    remove_own_files(folder);
    remove_temporaries(folder);
    auto run = open_files(folder, std::move(lock));
    if (!run) {
        take_away(folder, made);
        return run;
    }
    run->made_ = std::move(made);
    return run;
}

Result<RunFolder> RunFolder::open(const fs::path& folder) {
    if (!has(folder / "run.json"))
        return fail(
            RecordsError::kBadRunFolder,
            folder.string() + (RunLock::is_there(folder)
                                   ? " holds a run that was ended before it had begun (it has no "
                                     "run.json); start it again with 'esper train'"
                                   : " is not a run's folder (it has no run.json)"));
    ESPER_CHECK_STATUS(refuse_links(folder));
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
    ESPER_TRY(const auto event, Event::make(kind, step, epoch, std::move(detail)));
    const auto at = events_.size();
    ESPER_CHECK_STATUS(events_.append(
        event.content().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
    if (times_)
        ESPER_CHECK_STATUS(times_->append(fmt::format("{},{}", at, system_clock().utc_ns())));
    if (listener_) listener_(event.content());
    return {};
}

Status RunFolder::note_times() {
    ESPER_TRY(times_, LineAppender::open(path_ / kTimes));
    return {};
}

Status RunFolder::metrics(const std::vector<std::pair<std::string, double>>& row) {
    ESPER_CHECK_STATUS(check_is_there());
    if (metrics_.size() == 0) {
        columns_.clear();
        for (const auto& [name, value] : row) columns_.push_back(name);
        ESPER_CHECK_STATUS(metrics_.append(join(columns_, ",")));
    }
    std::string line;
    for (const auto& column : columns_) {
        if (!line.empty() || &column != &columns_.front()) line += ',';
        for (const auto& [name, value] : row)
            if (name == column) line += fmt::format("{}", value);
    }
    return metrics_.append(line);
}

Status RunFolder::note_session(double seconds) {
    ESPER_TRY(auto sessions, LineAppender::open(path_ / kSessionsFile));
    return sessions.append(fmt::format("{},{}", seconds, system_clock().utc_ns()));
}

Status RunFolder::check_is_there() const {
    if (lock_.is_in(path_)) return {};
    return fail(RecordsError::kFolderGone,
                fmt::format("{} is not there any more: it was moved or removed while the run "
                            "trained. 'esper resume FOLDER', with the folder as it is called now, "
                            "goes on from its last checkpoint",
                            path_.string()));
}

// Once the file is there, only its folder's sync can fail, and that is no error of the run: what a
// power cut could then take back is the state before, from which the run is resumed to this one.
Status RunFolder::write_run_json(const nlohmann::json& run) {
    ESPER_CHECK_STATUS(check_is_there());
    const auto text = run.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    if (auto written = write_file_atomic(path_ / "run.json", text); !written) {
        const auto there = read_file(path_ / "run.json");
        if (!there || *there != text) return written;
    }
    keep();
    return {};
}

Result<nlohmann::json> RunFolder::read_run_json() const { return records::read_run_json(path_); }

std::map<std::string, std::uint64_t> RunFolder::lengths() const {
    std::map<std::string, std::uint64_t> lengths{{"events.jsonl", events_.size()},
                                                 {"metrics.csv", metrics_.size()}};
    if (times_) lengths[kTimes] = times_->size();
    return lengths;
}

Status RunFolder::cut_back(const std::map<std::string, std::uint64_t>& lengths) {
    for (const auto& [name, size] : lengths) {
        auto cut = truncate_file(path_ / name, size);
        // The run goes on without the times of its events; they may have been taken away.
        if (!cut && name != kTimes) return cut;
    }
    if (times_) {
        ESPER_TRY(times_, LineAppender::open(path_ / kTimes));
    }
    ESPER_TRY(events_, LineAppender::open(path_ / "events.jsonl"));
    ESPER_TRY(metrics_, LineAppender::open(path_ / "metrics.csv"));
    return {};
}

Status RunFolder::sync() {
    ESPER_CHECK_STATUS(events_.sync());
    return metrics_.sync();
}

}  // namespace esper::records
