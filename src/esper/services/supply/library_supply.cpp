#include "esper/services/supply/library_supply.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include "esper/execution/kernels/branch_source.h"
#include "esper/execution/kernels/kernel_cache.h"
#include "esper/services/supply/forge_process.h"
#include "esper/services/supply/known_kernels.h"
#include "esper/services/supply/known_refusals.h"
#include "esper/services/supply/library_view.h"
#include "esper/services/supply/ordered_work.h"
#include "esper/services/supply/retries.h"
#include "esper/utils/logging.h"

namespace esper::supply {

namespace {

using contracts::KernelStatus;
using execution::kernel_id_of;
using execution::KernelPin;
using ports::KernelAnswer;
using ports::KernelNeed;
using ports::SuppliedKernel;

/// A kernel that was asked of the cache by its id.
struct Request {
    std::string kernel;
    std::string_view from;
    double microseconds = 0;  ///< until it could be called
};

class LibrarySupply final : public ports::KernelSupply {
  public:
    explicit LibrarySupply(SupplyOptions options) : options_(std::move(options)) {}

    ~LibrarySupply() override {
        opening_.stop();
        cache_.reset();
        source_.reset();
        view_.reset();  // its thread may be starting the forge
    }

    std::string want(const std::vector<KernelNeed>& needs) override {
        if (!needs.empty() && !std::exchange(wanted_, true)) {
            needs_ = needs;
            return order(needs);
        }
        const auto trouble = view_ ? view_->trouble() : "";
        const std::lock_guard lock(forge_mutex_);
        return trouble.empty() ? problem_ : trouble;
    }

    KernelAnswer offer(const KernelNeed& need) override {
        KernelAnswer answer;
        if (const auto opened = open(); !opened) {
            answer.why = opened.error().message();
            return answer;
        }
        auto known = known_of(need, view_->kernels_for(need), view_->ring());
        answer.refused = std::move(known.refused);
        std::string too_risky;
        for (const auto& record : known.winners) {
            if (!is_allowed(record)) {
                if (too_risky.empty()) too_risky = risky(record);
                continue;
            }
            auto kernel = load(record, need);
            if (!kernel) {
                answer.refused.push_back(record.manifest.artifact + ": " +
                                         kernel.error().to_string());
                continue;
            }
            answer.why = fmt::format("{:.2f} times the operators' speed [{:.2f}, {:.2f}]",
                                     kernel->gain, kernel->gain_low, kernel->gain_high);
            answer.kernel = std::move(*kernel);
            return answer;
        }
        answer.why = too_risky.empty() ? why_none(known, answer.refused, need) : too_risky;
        return answer;
    }

    Result<SuppliedKernel> recall(const std::string& id, const std::string& object,
                                  const KernelNeed& need) override {
        ESPER_CHECK_STATUS(open());
        ESPER_TRY(const auto record, view_->kernel(id));
        if (record.artifact.status != KernelStatus::kValidated)
            return fail(
                urza::UrzaError::kUnknownKernel,
                fmt::format("kernel {} is {}", id, contracts::to_text(record.artifact.status)));
        ESPER_TRY(auto kernel, load(record, need));
        if (kernel.object != object)
            return fail(execution::KernelError::kDigestMismatch,
                        fmt::format("kernel {} is the object {}, the run used {}", id,
                                    kernel.object.substr(0, 12), object.substr(0, 12)));
        return kernel;
    }

    Status evict(const std::string& id, const std::string& reason) override {
        ESPER_CHECK_STATUS(open());
        ESPER_CHECK_STATUS(cache_->ban(kernel_id_of(id), reason));
        return view_->deprecate(id, reason);
    }

    ports::KernelWork work() override {
        log_requests();
        ports::KernelWork work;
        if (view_) view_->refresh();
        const std::lock_guard lock(forge_mutex_);
        work.asked = asked_;
        work.finished = !forge_.is_running() && ordered_.is_finished();
        for (const auto& outcome : outcomes()) {
            if (outcome.status == "validated")
                ++(outcome.faster ? work.faster : work.not_faster);
            else
                ++(outcome.status == "unsupported" ? work.unsupported : work.failed);
        }
        return work;
    }

    std::string ledger_head() override { return view_ ? view_->head() : ""; }

    std::vector<ports::PastCandidates> past_candidates(const std::string& host) override {
        return open() ? view_->past(host) : std::vector<ports::PastCandidates>();
    }

  private:
    bool is_allowed(const urza::KernelRecord& record) const {
        return options_.allow_speculative || !is_speculative(record);
    }
    static std::string risky(const urza::KernelRecord& record) {
        return fmt::format(
            "kernel {} is speculative: its risk of failing is {:.2f}, above 0.5; "
            "growth.allow_speculative=true takes it",
            record.manifest.artifact, *record.artifact.validation_report->risk_score);
    }

    std::string order(const std::vector<KernelNeed>& needs) {
        if (const auto opened = open(); !opened) {
            const std::lock_guard lock(forge_mutex_);
            return problem_ = opened.error().message();
        }
        std::vector<KernelNeed> open_ones;
        for (const auto& need : needs)
            if (!known_refusal(options_.library, need)) open_ones.push_back(need);
        if (options_.by_workers)
            view_->watch([this](urza::Library& library) { ordered_.look(library); });
        view_->look_for(open_ones, [this](const auto& unknown, const std::string& cannot) {
            if (options_.by_workers) return order_from_workers(unknown);
            const std::lock_guard lock(forge_mutex_);
            problem_ = start_forge(unknown, cannot);
        });
        const std::lock_guard lock(forge_mutex_);
        return problem_;
    }

    /// Of a server's library on a thread beside the run, which no lock may make wait for it.
    void order_from_workers(const std::vector<KernelNeed>& orders) {
        const auto ordered = ordered_.order(view_->library(), orders);
        const std::lock_guard lock(forge_mutex_);
        problem_ = ordered ? "" : ordered.error().message();
        if (ordered) asked_ = static_cast<std::int64_t>(orders.size());
    }

    std::string start_forge(const std::vector<KernelNeed>& orders, const std::string& cannot) {
        if (orders.empty()) return "";
        if (options_.forge.empty()) return "there is no forge beside this program";
        if (!cannot.empty()) return cannot;
        if (auto none = why_no_forge(options_.wishes); !none.empty()) return none;
        std::vector<ForgeOrder> fast;
        for (const auto& order : orders) fast.push_back({order});
        auto why = forge_.start(options_.forge, options_.library, fast, options_.wishes);
        if (why.empty()) asked_ = static_cast<std::int64_t>(orders.size());
        return why;
    }

    std::vector<OrderOutcome> outcomes() const {
        return options_.by_workers ? ordered_.outcomes() : forge_.outcomes();
    }

    /// Where it does not answer, it is tried again beside the run.
    Status open() {
        if (view_) return {};
        if (const auto why = opening_.failing()) return fail(*why);
        std::unique_ptr<LibraryView> late;
        {
            const std::lock_guard lock(opened_mutex_);
            late = std::move(opened_);
        }
        const bool is_late = late != nullptr;
        Result<std::unique_ptr<LibraryView>> view =
            is_late ? Result<std::unique_ptr<LibraryView>>(std::move(late))
                    : view_of(options_.library);
        if (!view) {
            if (view.error().is(urza::UrzaError::kUnreachable)) opening_.begin(view.error());
            return fail(view.error());
        }
        view_ = std::move(*view);
        source_ = std::make_unique<execution::VerifiedBranchSource>(
            [this](std::uint64_t id) { return view_->bundle(ids_.at(id)); }, view_->ring(),
            [this](std::uint64_t id) { return wants_.at(id); });
        cache_ =
            std::make_shared<execution::KernelCache>(execution::KernelCacheOptions{}, *source_);
        if (is_late && wanted_) order(needs_);
        return {};
    }

    Status open_again() {
        ESPER_TRY(auto view, view_of(options_.library));
        const std::lock_guard lock(opened_mutex_);
        opened_ = std::move(view);
        return {};
    }

    std::string why_none(const Known& known, const std::vector<std::string>& refused,
                         const KernelNeed& need) {
        if (!refused.empty()) return "a kernel was refused: " + refused.front();
        if (!known.loses.empty()) return "operators are faster: " + known.loses;
        if (const auto refusal = known_refusal(options_.library, need))
            return "the compiler has no rule for it: " + *refusal;
        if (auto open = ordered_.what_of(need); !open.empty()) return open;
        const std::lock_guard lock(forge_mutex_);
        for (const auto& outcome : outcomes())
            if (outcome.branch == need.branch && outcome.precision == need.precision)
                return fmt::format("the forge says {}: {}", outcome.status, outcome.why);
        if (forge_.is_running()) return "its kernel is not compiled yet";
        if (!known.other.empty()) return known.other;
        const auto trouble = view_->trouble();
        return trouble.empty() ? "there is no kernel for it" : trouble;
    }

    Result<KernelPin> request(const std::string& id, std::uint64_t number) {
        const auto hits = cache_->stats().hits;
        const auto begun = std::chrono::steady_clock::now();
        auto pin = cache_->get(number);
        const std::chrono::duration<double, std::micro> took =
            std::chrono::steady_clock::now() - begun;
        requests_.push_back({id,
                             !pin                          ? "nowhere"
                             : cache_->stats().hits > hits ? "memory"
                                                           : "library",
                             took.count()});
        return pin;
    }

    // A resumed run asks for its kernels before it has a log.
    void log_requests() {
        using utils::kv;
        for (const auto& request : requests_)
            ESPER_LOG_INFO("kernel requested", kv("kernel", request.kernel),
                           kv("from", request.from), kv("us", request.microseconds));
        requests_.clear();
    }

    Result<SuppliedKernel> load(const urza::KernelRecord& record, const KernelNeed& need) {
        const auto& id = record.manifest.artifact;
        const auto number = kernel_id_of(id);
        ids_[number] = id;
        wants_[number] = want_of(need);
        ESPER_TRY(auto pin, request(id, number));
        const auto* branch = dynamic_cast<execution::CachedBranch*>(pin.get());
        const auto& manifest = branch->verified().manifest;
        SuppliedKernel kernel;
        kernel.id = id;
        kernel.object = manifest.files.at(std::string(execution::kKernelObject));
        kernel.info = branch->library().info;
        kernel.forward = branch->library().forward;
        kernel.backward = branch->library().backward;
        kernel.keeps = branch->library().handle;
        kernel.gain = gain_of(record, "speed_percent");
        kernel.gain_low = gain_of(record, "speed_percent_low");
        kernel.gain_high = gain_of(record, "speed_percent_high");
        return kernel;
    }

    SupplyOptions options_;
    std::mutex opened_mutex_;
    std::unique_ptr<LibraryView> opened_;  ///< by `opening_`, to become `view_`
    Retries opening_{[this] { return open_again(); }};
    std::unique_ptr<LibraryView> view_;
    std::unique_ptr<execution::VerifiedBranchSource> source_;
    std::shared_ptr<execution::KernelCache> cache_;
    std::map<std::uint64_t, std::string> ids_;
    std::map<std::uint64_t, execution::KernelWant> wants_;
    std::vector<Request> requests_;  ///< that are not in the log yet
    bool wanted_ = false;            // a run that goes back wants the same again
    std::vector<KernelNeed> needs_;  ///< what it wants
    OrderedWork ordered_;
    std::mutex forge_mutex_;  ///< of what follows
    ForgeProcess forge_;
    std::int64_t asked_ = 0;
    std::string problem_;
};

}  // namespace

std::shared_ptr<ports::KernelSupply> library_supply(SupplyOptions options) {
    return std::make_shared<LibrarySupply>(std::move(options));
}

}  // namespace esper::supply
