#include "esper/services/supply/server_view.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "esper/services/supply/known_kernels.h"
#include "esper/services/urza/remote_library.h"
#include "esper/utils/logging.h"

namespace esper::supply {

namespace {

using ports::KernelNeed;
using urza::KernelRecord;
using urza::UrzaError;
using Kernels = std::vector<Result<KernelRecord>>;

constexpr auto kBetweenLooks = std::chrono::seconds(3);
constexpr auto kLongestPause = std::chrono::seconds(60);

class ServerView final : public LibraryView {
  public:
    static Result<std::unique_ptr<LibraryView>> open(const std::string& url) {
        auto view = std::unique_ptr<ServerView>(new ServerView(url));
        ESPER_TRY(view->library_, urza::RemoteLibrary::open(url, {.give_up = [v = view.get()] {
                                                                return v->over_.load();
                                                            }}));
        return std::unique_ptr<LibraryView>(std::move(view));
    }
    ~ServerView() override {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    void look_for(const std::vector<KernelNeed>& needs, Unknown unknown) override {
        const std::lock_guard lock(mutex_);
        needs_ = needs;
        unknown_ = std::move(unknown);
        ++asked_for_;
        start_locked();
    }

    Kernels kernels_for(const KernelNeed& need) override {
        const std::lock_guard lock(mutex_);
        if (const auto found = of_branch_.find(need.branch); found != of_branch_.end())
            return found->second;
        needs_.push_back(need);
        of_branch_[need.branch] = {};
        ++asked_for_;
        start_locked();
        return {};
    }

    Result<KernelRecord> kernel(const std::string& id) override {
        {
            const std::lock_guard lock(mutex_);
            for (const auto& [branch, kernels] : of_branch_)
                for (const auto& record : kernels)
                    if (record && record->manifest.artifact == id && bundles_.contains(id))
                        return record;
            if (const auto asked = asked_.find(id); asked != asked_.end()) return asked->second;
        }
        auto record = library_->kernel(id);
        if (record) {
            auto bundle = library_->fetch(id);
            const std::lock_guard lock(mutex_);
            bundles_.insert_or_assign(id, std::move(bundle));
        }
        const std::lock_guard lock(mutex_);
        // Whatever it is: a run that goes back must not wait again.
        return asked_.try_emplace(id, std::move(record)).first->second;
    }

    Result<std::string> bundle(const std::string& id) override {
        const std::lock_guard lock(mutex_);
        const auto found = bundles_.find(id);
        if (found != bundles_.end()) return found->second;
        return fail(UrzaError::kUnreachable, "its object has not come from " + url_ + " yet");
    }

    /// Best effort: where it cannot be done at once, the run has put the kernel out of its own use.
    Status deprecate(const std::string& id, const std::string& reason) override {
        const std::lock_guard lock(mutex_);
        out_of_use_[id] = reason;
        ++asked_for_;
        start_locked();
        return {};
    }

    const execution::KeyRing& ring() const override { return library_->ring(); }
    std::string head() override {
        const std::lock_guard lock(mutex_);
        return head_ ? fmt::format("{}:{}", head_->number, head_->hash) : "";
    }
    std::vector<ports::PastCandidates> past(const std::string& host) override {
        const std::lock_guard lock(mutex_);
        const auto found = past_.find(host);
        return found == past_.end() ? std::vector<ports::PastCandidates>() : found->second;
    }
    void watch(std::function<void(urza::Library&)> watcher) override {
        const std::lock_guard lock(mutex_);
        watcher_ = std::move(watcher);
    }
    urza::Library& library() override { return *library_; }
    std::string trouble() override {
        const std::lock_guard lock(mutex_);
        if (trouble_.empty() && answered_ < asked_for_) return url_ + " has not answered yet";
        return trouble_;
    }

  private:
    explicit ServerView(std::string url) : url_(std::move(url)) {}

    void start_locked() {
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
        changed_.notify_all();
    }

    void run() {
        auto pause = kBetweenLooks;
        while (!over_) {
            const Status seen = look();
            std::unique_lock lock(mutex_);
            if (over_) return;
            pause = seen ? kBetweenLooks : std::min(2 * pause, kLongestPause);
            if (!seen && trouble_.empty())
                ESPER_LOG_WARNING("the library does not answer",
                                  utils::kv("why", seen.error().message()));
            trouble_ = seen ? "" : seen.error().message();
            // Where it does not answer, what is new has to wait, too.
            changed_.wait_for(lock, pause,
                              [&] { return over_ || (seen && answered_ < asked_for_); });
        }
    }

    Status look() {
        std::vector<KernelNeed> needs;
        std::map<std::string, std::string> out_of_use;
        std::int64_t asked_for = 0;
        bool is_new = false;
        std::function<void(urza::Library&)> watcher;
        {
            const std::lock_guard lock(mutex_);
            watcher = watcher_;
            needs = needs_;
            out_of_use = out_of_use_;
            asked_for = asked_for_;
            is_new = answered_ < asked_for_;
        }
        ESPER_CHECK_STATUS(look(needs, out_of_use, is_new));
        if (watcher) watcher(*library_);
        const std::lock_guard lock(mutex_);
        answered_ = asked_for;
        return {};
    }

    Status look(const std::vector<KernelNeed>& needs,
                const std::map<std::string, std::string>& out_of_use, bool is_new) {
        for (const auto& [id, reason] : out_of_use) {
            Status done = library_->deprecate(id, contracts::ComponentType::kUrza, reason);
            if (!done && done.error().is(UrzaError::kUnreachable)) return done;
            const std::lock_guard lock(mutex_);
            out_of_use_.erase(id);
        }
        ESPER_TRY(const auto head, library_->head());
        // Where no entry was added, nothing else has changed.
        if (!is_new && head_ && head_->number == head.number) return {};
        std::vector<KernelNeed> unknown;
        std::map<std::string, Kernels> of_branch;
        for (const auto& need : needs) {
            if (!of_branch.contains(need.branch)) {
                ESPER_TRY(of_branch[need.branch], read(need.branch));
            }
            const auto known = known_of(need, of_branch[need.branch], library_->ring());
            for (const auto& winner : known.winners)
                ESPER_CHECK_STATUS(bring(winner.manifest.artifact));
            if (!known.settled) unknown.push_back(need);
        }
        ESPER_CHECK_STATUS(read_past());
        Unknown tell;
        {
            const std::lock_guard lock(mutex_);
            for (auto& [branch, kernels] : of_branch) of_branch_[branch] = std::move(kernels);
            head_ = head;
            std::swap(tell, unknown_);
        }
        if (!tell) return {};
        const Status may = library_->may_change();
        tell(unknown, may ? "" : may.error().message());
        return {};
    }

    Result<Kernels> read(const std::string& branch) {
        Kernels kernels;
        const auto blueprint = library_->blueprint(branch);
        if (!blueprint && blueprint.error().is(UrzaError::kUnknownBlueprint)) return kernels;
        ESPER_CHECK_STATUS(blueprint);
        for (const auto& id : blueprint->compiled_artifacts) {
            auto record = library_->kernel(id);
            if (!record && record.error().is(UrzaError::kUnreachable)) return fail(record.error());
            if (!record) record = fail(record.error().within(id));
            kernels.push_back(std::move(record));
        }
        return kernels;
    }

    Status bring(const std::string& id) {
        {
            const std::lock_guard lock(mutex_);
            if (bundles_.contains(id)) return {};
        }
        auto bundle = library_->fetch(id);
        if (!bundle && bundle.error().is(UrzaError::kUnreachable)) return fail(bundle.error());
        const std::lock_guard lock(mutex_);
        bundles_.insert_or_assign(id, std::move(bundle));
        return {};
    }

    Status read_past() {
        if (has_past_) return {};
        ESPER_TRY(const auto measured, library_->measured_candidates());
        std::map<std::string, std::vector<ports::PastCandidates>> past;
        for (const auto& m : measured)
            if (!past.contains(m.host)) past[m.host] = past_of(*library_, m.host);
        has_past_ = true;
        const std::lock_guard lock(mutex_);
        past_ = std::move(past);
        return {};
    }

    const std::string url_;
    std::unique_ptr<urza::RemoteLibrary> library_;
    std::atomic<bool> over_{false};
    bool has_past_ = false;  ///< the thread's own

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<KernelNeed> needs_;
    Unknown unknown_;  ///< until it has been told
    std::function<void(urza::Library&)> watcher_;
    // Changes of what is asked for, and how many of them the server has answered.
    std::int64_t asked_for_ = 0, answered_ = 0;
    std::map<std::string, Kernels> of_branch_;
    std::map<std::string, Result<KernelRecord>> asked_;
    std::map<std::string, Result<std::string>> bundles_;
    std::map<std::string, std::string> out_of_use_;  ///< kernels, and why
    std::map<std::string, std::vector<ports::PastCandidates>> past_;
    std::optional<urza::LedgerHead> head_;
    std::string trouble_;
    std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<LibraryView>> view_of_server(const std::string& url) {
    return ServerView::open(url);
}

}  // namespace esper::supply
