#include "esper/services/records/run_control.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <utility>

#include "esper/base/clock.h"
#include "esper/base/files.h"
#include "esper/base/own_file.h"
#include "esper/services/records/fields.h"

namespace esper::records {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds kEvery{200};
constexpr std::uint64_t kMostBytes = 4096;
constexpr std::size_t kMostRequests = 64;
constexpr std::size_t kMostWords = 200;

fs::path inbox_of(const fs::path& folder) { return folder / "control"; }

// Somebody else who may write there could steer the run.
bool is_own(const fs::path& path, mode_t kind) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && (info.st_mode & S_IFMT) == kind &&
           info.st_uid == ::geteuid() && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

std::optional<ControlRequest> read_request(const fs::path& file) {
    if (!is_own(file, S_IFREG)) return std::nullopt;
    const auto text = read_own_file(file, kMostBytes);
    const auto object = text ? parse_object(*text) : Result<nlohmann::json>(fail(text.error()));
    if (!object) return std::nullopt;
    const auto action = contracts::from_text<ControlAction>(text_of(*object, "action"));
    if (!action) return std::nullopt;
    return ControlRequest{*action, text_of(*object, "by").substr(0, kMostWords)};
}

}  // namespace

Status leave_request(const fs::path& folder, const ControlRequest& request) {
    const auto inbox = inbox_of(folder);
    ::mkdir(inbox.c_str(), S_IRWXU);
    if (!is_own(inbox, S_IFDIR))
        return fail(RecordsError::kBadRecord,
                    inbox.string() + " is no folder that only its owner, this user, may write");
    static std::atomic<int> serial{0};
    const auto file = inbox / fmt::format("{:020}-{}-{}.json", system_clock().utc_ns(), ::getpid(),
                                          serial.fetch_add(1));
    const nlohmann::json content{{"action", contracts::to_text(request.action)},
                                 {"by", request.by}};
    const auto text = content.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return write_file_atomic(file, text + "\n");
}

ControlInbox::ControlInbox(fs::path folder) : folder_(std::move(folder)) { read_files(false); }

void ControlInbox::put(ControlRequest request) {
    const std::lock_guard lock(mutex_);
    own_.push_back(std::move(request));
}

std::vector<ControlRequest> ControlInbox::take() {
    std::vector<ControlRequest> requests;
    {
        const std::lock_guard lock(mutex_);
        requests = std::exchange(own_, {});
    }
    const auto now = std::chrono::steady_clock::now();
    if (looked_ && now - *looked_ < kEvery) return requests;
    looked_ = now;
    auto left = read_files(true);
    std::ranges::move(left, std::back_inserter(requests));
    return requests;
}

std::vector<ControlRequest> ControlInbox::read_files(bool keep) {
    const auto inbox = inbox_of(folder_);
    if (!is_own(inbox, S_IFDIR)) return {};
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator at(inbox, error), end; !error && at != end; at.increment(error)) {
        if (at->path().extension() == ".json") files.push_back(at->path());
        if (files.size() == kMostRequests) break;
    }
    std::ranges::sort(files);
    std::vector<ControlRequest> requests;
    for (const auto& file : files) {
        if (auto request = read_request(file); request && keep)
            requests.push_back(std::move(*request));
        fs::remove(file, error);
    }
    return requests;
}

}  // namespace esper::records
