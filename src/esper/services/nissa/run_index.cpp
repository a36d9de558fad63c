#include "esper/services/nissa/run_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "esper/base/utf8.h"
#include "esper/services/records/printable_text.h"

namespace esper::nissa {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 4> kNoRunsBelow = {"checkpoints", "export", "tb", "lock"};

// Also where run.json cannot be read: then the list says so.
bool is_run(const fs::path& folder) { return Run::is_in(folder); }

bool is_folder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(fs::symlink_status(path, ignored));
}

using Found = std::vector<std::pair<fs::path, fs::path>>;  ///< root and folder

void look_below(const fs::path& root, const fs::path& folder, int depth, Found& found) {
    if (found.size() >= RunIndex::kMostRuns) return;
    if (is_run(folder)) {
        found.emplace_back(root, folder);
        // What a run with a budget was finished at is runs of its own.
        if (is_folder(folder / "finish") && depth < RunIndex::kDeepest)
            look_below(root, folder / "finish", depth + 1, found);
        return;
    }
    if (depth == RunIndex::kDeepest) return;
    std::error_code ignored;
    std::vector<fs::path> below;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const auto name = entry.path().filename().string();
        if (name.starts_with('.') || std::ranges::find(kNoRunsBelow, name) != kNoRunsBelow.end())
            continue;
        if (is_folder(entry.path())) below.push_back(entry.path());
    }
    std::ranges::sort(below);
    for (const auto& each : below) look_below(root, each, depth + 1, found);
}

}  // namespace

RunIndex::RunIndex(const std::vector<fs::path>& roots) {
    for (const auto& root : roots) {
        const auto path = root.lexically_normal();
        roots_.push_back(path.has_filename() || !path.has_parent_path() ? path
                                                                        : path.parent_path());
    }
}

// The path below the root: short, and the same after the next start.
std::string RunIndex::new_id(const fs::path& root, const fs::path& folder) const {
    auto id = folder == root ? fs::absolute(root).lexically_normal().filename().string()
                             : folder.lexically_relative(root).string();
    if (id.empty()) id = fs::absolute(root).lexically_normal().parent_path().filename().string();
    if (!is_utf8(id) || id.empty() || id == "." || id == "..") id = "run";
    id = records::printable(id);  // no address may hold control characters, encoded or not
    auto unique = id;
    for (int n = 2; runs_.contains(unique); ++n) unique = fmt::format("{}~{}", id, n);
    return unique;
}

RunIndex::Changes RunIndex::scan() {
    Found found;
    for (const auto& root : roots_) look_below(root, root, 0, found);
    Changes changes;
    const std::lock_guard lock(mutex_);
    std::set<std::string> seen;
    for (const auto& [root, folder] : found) {
        const auto key = folder.lexically_normal().string();
        seen.insert(key);
        if (ids_.contains(key)) continue;
        auto run = std::make_shared<Run>(new_id(root, folder), folder);
        ids_[key] = run->id();
        runs_[run->id()] = run;
        changes.come.push_back(std::move(run));
    }
    for (auto it = ids_.begin(); it != ids_.end();) {
        if (seen.contains(it->first)) {
            ++it;
            continue;
        }
        changes.gone.push_back(it->second);
        runs_.erase(it->second);
        it = ids_.erase(it);
    }
    return changes;
}

std::vector<std::shared_ptr<Run>> RunIndex::runs() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Run>> all;
    all.reserve(runs_.size());
    for (const auto& [id, run] : runs_) all.push_back(run);
    return all;
}

Result<std::shared_ptr<Run>> RunIndex::find(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    const auto it = runs_.find(id);
    if (it == runs_.end())
        return fail(NissaError::kNoSuchRun, fmt::format("there is no run '{}' here", id));
    return it->second;
}

void RunIndex::trim(std::size_t bytes) const {
    auto all = runs();
    std::erase_if(all, [](const auto& run) { return run->memory() == 0; });
    std::ranges::sort(all, std::greater(), [](const auto& run) { return run->last_asked(); });
    std::size_t held = 0;
    for (const auto& run : all) {
        held += run->memory();
        if (held > bytes) run->forget();
    }
}

}  // namespace esper::nissa
