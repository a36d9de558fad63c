#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "esper/configs/growth.h"
#include "esper/contracts/enum_text.h"
#include "esper/services/tamiyo/confidence_sequence.h"

namespace esper::tamiyo {

using contracts::EnumEntry;

/// What a look at the probe set says of a seed.
#define ESPER_VERDICTS(X) X(kKeep, 0, "keep") X(kCull, 1, "cull") X(kHold, 2, "hold")
ESPER_CONTRACT_ENUM(Verdict, ESPER_VERDICTS)

/// Where in its life a seed is measured: at the end of TRAINING, in EVALUATING, at the end of
/// FINE_TUNING.
#define ESPER_GATE_STAGES(X)           \
    X(kBeforeGraft, 0, "before_graft") \
    X(kAfterGraft, 1, "after_graft")   \
    X(kAfterFineTune, 2, "after_fine_tune")
ESPER_CONTRACT_ENUM(GateStage, ESPER_GATE_STAGES)

/// The terms of one look.
struct GateSpec {
    std::int64_t n0 = 500;  ///< smallest number of examples that may decide
    double rent = 0;        ///< mean loss per example that the seed must save
    double delta_k = 0.05;  ///< error that this look may spend, in (0, 1)
};

/// The outcome of one look.
struct GateResult {
    Verdict verdict = Verdict::kHold;
    double mean = 0;   ///< of the loss saved per example, over the examples walked
    double lower = 0;  ///< bounds of the confidence sequence; infinite below n0 examples
    double upper = 0;
    double deviation = 0;         ///< sample standard deviation
    double skewness = 0;          ///< of all the differences given
    std::int64_t needed = 0;      ///< examples before which such skewed differences may not decide
    std::int64_t t = 0;           ///< examples walked before it was decided
    double delta = 0;             ///< the error that was spent
    double rent = 0;              ///< what the bounds were held against
    std::int64_t not_finite = 0;  ///< differences that were NaN or infinite; any of them culls
};

/// Walks the per-example differences d_i = (loss with α = 0) − (loss with α = 1), given in a random
/// order fixed beforehand (`probe_order`), and stops at the first example that decides: keep once
/// the lower bound exceeds the rent, cull once the upper bound falls below it. All seen and
/// neither: hold.
///
/// The sequence's bounds take the mean of the first n0 differences for about normal. A seed that
/// helps most examples a little and ruins a few breaks that: until the ruined ones turn up in
/// numbers, the others look like a sure gain. So nobody decides before t ≥ 25·skewness² (Cochran's
/// rule, Sampling Techniques, 1977, §2.15), of the examples walked and of all those given; the
/// bounds hold at every t at once, so t may be chosen by looking ahead.
///
/// A difference that is not finite culls at once, whatever the others say: a seed
/// that breaks an example is not kept. A spec that makes no sense (delta outside (0, 1), rent NaN)
/// never decides.
GateResult look(std::span<const float> d, const GateSpec& spec);

/// What the k-th seed of a run (k ≥ 1) may spend of delta: δ/(k(k+1)); all together spend δ.
double error_of_seed(double delta, std::int64_t k);
/// What its l-th look (l ≥ 1) may spend of that: δ_k·6/(π²l²); all together spend δ_k.
double error_of_look(double delta_of_seed, std::int64_t l);

/// The loss a seed must save to be worth its cost, from what it adds relative to the host:
/// κ·ΔFLOPs/FLOPs + κ'·Δparameters/parameters.
double rent_of(const configs::GateConfig& gate, double relative_flops, double relative_parameters);

/// The order in which the probe set is walked: random, and the same in every look of a run.
std::vector<std::uint32_t> probe_order(std::uint64_t run_seed, std::uint32_t examples);

/// For events.jsonl; infinite bounds are null, which says "not measured".
nlohmann::json to_json(const GateResult& result);

}  // namespace esper::tamiyo
