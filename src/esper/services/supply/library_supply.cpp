#include "esper/services/supply/library_supply.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>
#include <vector>

#include "esper/execution/kernels/branch_source.h"
#include "esper/execution/kernels/kernel_cache.h"
#include "esper/services/supply/forge_process.h"
#include "esper/services/supply/known_refusals.h"
#include "esper/services/urza/library.h"
#include "esper/utils/logging.h"

namespace esper::supply {

namespace {

using contracts::KernelStatus;
using execution::kernel_id_of;
using execution::KernelPin;
using ports::KernelAnswer;
using ports::KernelNeed;
using ports::SuppliedKernel;

// A verdict about at most so many times the samples of a call holds for it, too.
constexpr std::int64_t kSameClass = 4;

execution::KernelWant want_of(const KernelNeed& need) {
    execution::KernelWant want;
    want.branch = need.branch;
    want.precision = need.precision;
    want.shape = execution::ShapeClass{need.sample, need.samples, need.samples};
    return want;
}

execution::KernelBundle statements_of(const urza::KernelRecord& record) {
    return {record.manifest_text, record.forged, record.verdict_text, record.judged, ""};
}

bool has_tag(const urza::KernelRecord& record, std::string_view tag) {
    return record.verdict &&
           std::ranges::find(record.verdict->tags, tag) != record.verdict->tags.end();
}

/// `speed_percent` 46 is a gain of 1.46.
double gain_of(const urza::KernelRecord& record, const std::string& figure) {
    if (!record.artifact.validation_report) return 0;
    for (const auto& [name, value] : record.artifact.validation_report->baseline_comparison)
        if (name == figure) return 1 + value / 100;
    return 0;
}

/// What is known of a need: kernels that win, and what is said of the others.
struct Known {
    std::vector<urza::KernelRecord> winners;  ///< the fastest first
    std::string loses;                        ///< an id, and by how much: the operators are faster
    std::string other;                        ///< it is out of use, or it was measured elsewhere
    std::vector<std::string> refused;
    bool settled = false;  ///< forging it again would say nothing new
};

/// A kernel that was asked of the cache by its id.
struct Request {
    std::string kernel;
    std::string_view from;
    double microseconds = 0;  ///< until it could be called
};

class LibrarySupply final : public ports::KernelSupply {
  public:
    explicit LibrarySupply(SupplyOptions options) : options_(std::move(options)) {}

    std::string want(const std::vector<KernelNeed>& needs) override {
        if (wanted_) return problem_;
        wanted_ = true;
        return problem_ = order(needs);
    }

    KernelAnswer offer(const KernelNeed& need) override {
        KernelAnswer answer;
        if (const auto opened = open(); !opened) {
            answer.why = opened.error().message();
            return answer;
        }
        auto known = look(need);
        answer.refused = std::move(known.refused);
        for (const auto& record : known.winners) {
            auto kernel = load(record.manifest.artifact, need);
            if (!kernel) {
                answer.refused.push_back(record.manifest.artifact + ": " +
                                         kernel.error().to_string());
                continue;
            }
            kernel->gain = gain_of(record, "speed_percent");
            kernel->gain_low = gain_of(record, "speed_percent_low");
            kernel->gain_high = gain_of(record, "speed_percent_high");
            answer.why = fmt::format("{:.2f} times the operators' speed [{:.2f}, {:.2f}]",
                                     kernel->gain, kernel->gain_low, kernel->gain_high);
            answer.kernel = std::move(*kernel);
            return answer;
        }
        answer.why = why_none(known, answer.refused, need);
        return answer;
    }

    Result<SuppliedKernel> recall(const std::string& id, const std::string& object,
                                  const KernelNeed& need) override {
        ESPER_CHECK_STATUS(open());
        ESPER_TRY(const auto record, library_->kernel(id));
        if (record.artifact.status != KernelStatus::kValidated)
            return fail(
                urza::UrzaError::kUnknownKernel,
                fmt::format("kernel {} is {}", id, contracts::to_text(record.artifact.status)));
        ESPER_TRY(auto kernel, load(id, need));
        if (kernel.object != object)
            return fail(execution::KernelError::kDigestMismatch,
                        fmt::format("kernel {} is the object {}, the run used {}", id,
                                    kernel.object.substr(0, 12), object.substr(0, 12)));
        kernel.gain = gain_of(record, "speed_percent");
        kernel.gain_low = gain_of(record, "speed_percent_low");
        kernel.gain_high = gain_of(record, "speed_percent_high");
        return kernel;
    }

    Status evict(const std::string& id, const std::string& reason) override {
        ESPER_CHECK_STATUS(open());
        ESPER_CHECK_STATUS(cache_->ban(kernel_id_of(id), reason));
        return library_->deprecate(id, contracts::ComponentType::kUrza, reason);
    }

    ports::KernelWork work() override {
        log_requests();
        ports::KernelWork work;
        work.asked = asked_;
        work.finished = !forge_.is_running();
        for (const auto& outcome : forge_.outcomes()) {
            if (outcome.status == "validated")
                ++(outcome.faster ? work.faster : work.not_faster);
            else
                ++(outcome.status == "unsupported" ? work.unsupported : work.failed);
        }
        return work;
    }

    std::string ledger_head() override {
        if (!library_) return "";
        const auto head = library_->head();
        return head ? fmt::format("{}:{}", head->number, head->hash) : "";
    }

    std::vector<ports::PastCandidates> past_candidates(const std::string& host) override {
        std::vector<ports::PastCandidates> past;
        if (!open()) return past;
        const auto measured = library_->measured_candidates();
        if (!measured) return past;
        for (const auto& m : *measured) {
            const auto blueprint = library_->blueprint(m.blueprint);
            if (m.host != host || !blueprint) continue;
            const auto& name = blueprint->name;  // e.g. low_rank/tokens
            const auto slash = name.rfind('/');
            if (slash == std::string::npos) continue;
            past.push_back({name.substr(0, slash), name.substr(slash + 1), m.runs, m.runs_chosen});
        }
        return past;
    }

  private:
    std::string order(const std::vector<KernelNeed>& needs) {
        if (const auto opened = open(); !opened) return opened.error().message();
        std::vector<KernelNeed> orders;
        for (const auto& need : needs)
            if (!known_refusal(options_.library, need) && !look(need).settled)
                orders.push_back(need);
        if (orders.empty()) return "";
        if (options_.forge.empty()) return "there is no forge beside this program";
        if (const auto may = library_->may_change(); !may) return may.error().message();
        if (auto none = why_no_forge(options_.wishes); !none.empty()) return none;
        auto why = forge_.start(options_.forge, options_.library, orders, options_.wishes);
        if (why.empty()) asked_ = static_cast<std::int64_t>(orders.size());
        return why;
    }

    Status open() {
        if (library_) return {};
        ESPER_TRY(library_, urza::open_library(options_.library));
        source_ = std::make_unique<execution::VerifiedBranchSource>(
            [this](std::uint64_t id) { return library_->fetch(ids_.at(id)); }, library_->ring(),
            [this](std::uint64_t id) { return wants_.at(id); });
        cache_ =
            std::make_shared<execution::KernelCache>(execution::KernelCacheOptions{}, *source_);
        return {};
    }

    Known look(const KernelNeed& need) {
        Known known;
        const auto blueprint = library_->blueprint(need.branch);
        if (!blueprint) return known;
        const auto want = want_of(need);
        for (const auto& id : blueprint->compiled_artifacts) {
            const auto record = library_->kernel(id);
            if (!record) {
                known.refused.push_back(id + ": " + record.error().to_string());
                continue;
            }
            note(*record, want, need, known);
        }
        std::ranges::stable_sort(known.winners, std::greater{},
                                 [](const auto& r) { return gain_of(r, "speed_percent"); });
        known.settled = known.settled || !known.winners.empty();
        return known;
    }

    void note(const urza::KernelRecord& record, const execution::KernelWant& want,
              const KernelNeed& need, Known& known) {
        const auto& manifest = record.manifest;
        if (manifest.precision != need.precision || manifest.shape.sample != need.sample) return;
        const auto& id = manifest.artifact;
        if (!execution::fits_machine(manifest, execution::cpu_features_here())) {
            known.other = id + " is for another processor";
            return;
        }
        if (record.artifact.status == KernelStatus::kDeprecated ||
            record.artifact.status == KernelStatus::kRejected) {
            known.other = fmt::format("{} is {}", id, contracts::to_text(record.artifact.status));
            known.settled = true;
            return;
        }
        if (!record.verdict) return;
        if (record.verdict->hardware != execution::hardware_here() ||
            !record.verdict->shape.covers(*want.shape) ||
            record.verdict->shape.rows_max > kSameClass * need.samples) {
            known.other = fmt::format("{} was measured on {}, {}", id, record.verdict->hardware,
                                      to_string(record.verdict->shape));
            return;
        }
        if (const auto judged =
                execution::verify_statements(statements_of(record), library_->ring(), want);
            !judged) {
            known.refused.push_back(id + ": " + judged.error().to_string());
            return;
        }
        known.settled = true;
        if (has_tag(record, "faster"))
            known.winners.push_back(record);
        else
            known.loses =
                fmt::format("{} has {:.2f} times the operators' speed [{:.2f}, {:.2f}]", id,
                            gain_of(record, "speed_percent"), gain_of(record, "speed_percent_low"),
                            gain_of(record, "speed_percent_high"));
    }

    std::string why_none(const Known& known, const std::vector<std::string>& refused,
                         const KernelNeed& need) {
        if (!refused.empty()) return "a kernel was refused: " + refused.front();
        if (!known.loses.empty()) return "operators are faster: " + known.loses;
        if (const auto refusal = known_refusal(options_.library, need))
            return "the compiler has no rule for it: " + *refusal;
        for (const auto& outcome : forge_.outcomes())
            if (outcome.branch == need.branch && outcome.precision == need.precision)
                return fmt::format("the forge says {}: {}", outcome.status, outcome.why);
        if (forge_.is_running()) return "its kernel is not compiled yet";
        return known.other.empty() ? "there is no kernel for it" : known.other;
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

    Result<SuppliedKernel> load(const std::string& id, const KernelNeed& need) {
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
        return kernel;
    }

    SupplyOptions options_;
    std::unique_ptr<urza::Library> library_;
    std::unique_ptr<execution::VerifiedBranchSource> source_;
    std::shared_ptr<execution::KernelCache> cache_;
    std::map<std::uint64_t, std::string> ids_;
    std::map<std::uint64_t, execution::KernelWant> wants_;
    std::vector<Request> requests_;  ///< that are not in the log yet
    ForgeProcess forge_;
    std::int64_t asked_ = 0;
    bool wanted_ = false;  // a run that goes back wants the same again
    std::string problem_;
};

}  // namespace

std::shared_ptr<ports::KernelSupply> library_supply(SupplyOptions options) {
    return std::make_shared<LibrarySupply>(std::move(options));
}

}  // namespace esper::supply
