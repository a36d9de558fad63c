#include "esper/services/supply/forge_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "esper/base/first_line.h"
#include "esper/execution/kernels/kernel_bundle.h"
#include "esper/services/supply/forge_folder.h"
#include "esper/services/supply/forge_process.h"
#include "esper/services/supply/improving.h"
#include "esper/services/supply/ordered_work.h"
#include "esper/services/supply/store_kernel.h"
#include "esper/services/urza/library.h"
#include "esper/services/urza/library_keys.h"

namespace esper::supply {
namespace {

using std::chrono::steady_clock;
using urza::Claim;
using urza::UrzaError;
using urza::WorkState;

constexpr std::chrono::milliseconds kLook{50};
constexpr int kExtendsInALease = 3;
constexpr std::chrono::seconds kImprovements{60};  // between two looks for them

class Worker {
  public:
    Worker(const WorkerOptions& options, urza::Library& library,
           const std::function<bool()>& should_stop,
           const std::function<void(const std::string&)>& say)
        : options_(options),
          library_(library),
          queue_(library.work()),
          should_stop_(should_stop),
          say_(say) {}

    Result<WorkerTally> run() {
        while (!should_stop_()) {
            if (!refused_.empty())
                return fail(UrzaError::kDenied, "this worker's seals are not taken: " + refused_);
            auto claim = queue_.claim(execution::hardware_here(), options_.name, options_.lease);
            if (claim && *claim) {
                work_on(**claim);
                continue;
            }
            if (claim && options_.until_empty) {
                ESPER_TRY(tally_.left, what_is_left());
                break;
            }
            if (claim && order_an_improvement()) continue;
            say_once(claim ? "" : claim.error().to_string() + "; trying again");
            wait(options_.pause);
        }
        return tally_;
    }

  private:
    Result<WorkLeft> what_is_left() {
        constexpr std::uint32_t kPage = 500;
        WorkLeft left;
        for (std::string after;;) {
            ESPER_TRY(const auto rows, queue_.work({}, after, kPage));
            for (const auto& row : rows)
                if (row.hardware == execution::hardware_here()) count(row, left);
            if (rows.size() < kPage) return left;
            after = rows.back().id;
        }
    }

    static void count(const urza::WorkRow& row, WorkLeft& left) {
        left.dead += row.state == WorkState::kDead ? 1 : 0;
        left.leased += row.state == WorkState::kLeased ? 1 : 0;
        if (row.state != WorkState::kWaiting) return;
        left.first = left.waiting == 0 ? row.not_before : std::min(left.first, row.not_before);
        left.last = std::max(left.last, row.not_before);
        ++left.waiting;
    }

    void work_on(const Claim& claim) {
        say_once("");
        say_(fmt::format("job {}: {}, attempt {}", claim.id, claim.subject, claim.attempts));
        const auto need = order_of(claim.orders);
        if (!need) return settle(claim, {}, need.error().to_string());
        ForgeProcess forge;
        if (const auto why =
                forge.start(options_.program, options_.library, {*need}, options_.wishes);
            !why.empty())
            return settle(claim, {}, why);
        const auto term = options_.lease / kExtendsInALease;
        for (auto next = steady_clock::now() + term; forge.is_running();) {
            if (should_stop_()) {
                (void)queue_.hand_back(claim);
                say_(fmt::format("job {}: handed back", claim.id));
                return;
            }
            std::this_thread::sleep_for(kLook);
            if (steady_clock::now() < next) continue;
            next = steady_clock::now() + term;
            const auto extended = queue_.extend(claim, options_.lease);
            if (!extended && extended.error().is(UrzaError::kStaleLease))
                return drop(extended.error());
        }
        const auto outcomes = forge.outcomes();
        if (outcomes.empty())
            return settle(claim, {}, "the forge's process ended before it had an outcome");
        if (outcomes.front().why.starts_with("trust.")) return refuse(claim, outcomes.front().why);
        settle(claim, outcomes.front(),
               outcomes.front().status == "failed" ? outcomes.front().why : "");
    }

    /// Hands in the outcome, or that this attempt failed with `error`.
    void settle(const Claim& claim, const OrderOutcome& outcome, const std::string& error) {
        const auto given = error.empty() ? queue_.finish(claim, text_of(outcome))
                                         : queue_.attempt_failed(claim, first_line(error));
        if (!given) return drop(given.error());
        ++(error.empty() ? tally_.done : tally_.failed);
        say_(error.empty() ? fmt::format("job {}: {}{}", claim.id, outcome.status,
                                         outcome.id.empty() ? "" : ", kernel " + outcome.id)
                           : fmt::format("job {}: attempt {} failed: {}", claim.id, claim.attempts,
                                         first_line(error)));
    }

    /// Its seals are not taken here, so it is no worker for this library: the job is for others.
    void refuse(const Claim& claim, const std::string& why) {
        (void)queue_.hand_back(claim);
        say_(fmt::format("job {}: handed back: {}", claim.id, first_line(why)));
        refused_ = why;
    }

    void drop(const Error& why) {
        ++tally_.dropped;
        say_(why.to_string());
    }

    void say_once(const std::string& trouble) {
        if (!trouble.empty() && trouble != trouble_) say_(trouble);
        trouble_ = trouble;
    }

    void wait(std::chrono::milliseconds time) const {
        const auto end = steady_clock::now() + time;
        while (steady_clock::now() < end && !should_stop_())
            std::this_thread::sleep_for(std::min(kLook, time));
    }

    /// Where there is nothing to do: a better kernel for what runs ask for often, as a job like any
    /// other.
    bool order_an_improvement() {
        if (steady_clock::now() < next_improvement_) return false;
        next_improvement_ = steady_clock::now() + kImprovements;
        const auto worth = worth_improving(library_, machine_load());
        if (!worth || !*worth) return false;
        const auto& asked = **worth;
        const auto job = queue_.order(work_of(asked.order));
        if (!job) return false;
        say_(
            fmt::format("nothing to do; {} runs use {}/{} (tamiyo_interest {:.2f}): job {} for "
                        "the pipeline {}",
                        asked.runs, asked.order.blueprint, asked.order.anchor_kind, asked.interest,
                        *job, tezzeret::pipeline_name(asked.order.pipeline)));
        return true;
    }

    const WorkerOptions& options_;
    urza::Library& library_;
    urza::WorkQueue& queue_;
    const std::function<bool()>& should_stop_;
    const std::function<void(const std::string&)>& say_;
    WorkerTally tally_;
    std::string trouble_;  ///< that was said last
    std::string refused_;  ///< why its seals are not taken
    steady_clock::time_point next_improvement_ = steady_clock::now();
};

}  // namespace

Result<WorkerTally> work_off(const WorkerOptions& options, const std::function<bool()>& should_stop,
                             const std::function<void(const std::string&)>& say) {
    ESPER_TRY(const auto library, urza::open_library(options.library));
    // Without the keys every attempt would fail, and five make a job dead for everybody.
    ESPER_CHECK_STATUS(may_store(*library, urza::keys_of(options.library)));
    remove_abandoned_folders();
    return Worker(options, *library, should_stop, say).run();
}

}  // namespace esper::supply
