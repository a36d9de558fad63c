#include "esper/cli/output_file.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "esper/services/tolaria/tolaria_errors.h"

namespace esper::cli {

namespace {

constexpr std::array<std::string_view, 6> kFilesOfARun = {
    "run.json", "config.yaml", "events.jsonl", "metrics.csv", "journal.jsonl", "lock"};

}  // namespace

Status check_output_file(const std::filesystem::path& file) {
    std::error_code ignored;
    const auto whole = std::filesystem::weakly_canonical(file, ignored);
    const auto folder = whole.parent_path();
    const auto is_run = [&](const std::filesystem::path& at) {
        return std::filesystem::exists(at / "run.json", ignored);
    };
    const bool is_its_own =
        std::ranges::find(kFilesOfARun, whole.filename().string()) != kFilesOfARun.end();
    const bool is_checkpoint = folder.filename() == "checkpoints" && is_run(folder.parent_path());
    if (!is_checkpoint && !(is_its_own && is_run(folder))) return {};
    return fail(tolaria::TolariaError::kUnsupported,
                file.string() + " is a file that a run lives by; name another one with -o");
}

}  // namespace esper::cli
