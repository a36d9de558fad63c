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

/// The result of a look at the probe set with and without a seed.
#define ESPER_VERDICTS(X) X(kKeep, 0, "keep") X(kCull, 1, "cull") X(kHold, 2, "hold")
ESPER_CONTRACT_ENUM(Verdict, ESPER_VERDICTS)

/// Where in its life a seed is measured: at the end of TRAINING, in EVALUATING, at the end of
/// FINE_TUNING.
#define ESPER_GATE_STAGES(X)           \
    X(kBeforeGraft, 0, "before_graft") \
    X(kAfterGraft, 1, "after_graft")   \
    X(kAfterFineTune, 2, "after_fine_tune")
ESPER_CONTRACT_ENUM(GateStage, ESPER_GATE_STAGES)

/// A keep that is final wants so many times as many examples as decided it.
inline constexpr std::int64_t kConfirmedBy = 4;

/// The parameters of one look.
struct GateSpec {
    std::int64_t n0 = 500;  ///< smallest number of examples that may decide
    double rent = 0;        ///< mean loss per example that the seed must save
    double delta_k = 0.05;  ///< error that this look may spend, in (0, 1)
    /// How many times as many examples as decided a keep are walked: 1 where another look follows.
    std::int64_t confirmed_by = kConfirmedBy;
};

/// The outcome of one look.
struct GateResult {
    Verdict verdict = Verdict::kHold;
    double mean = 0;   ///< of the loss saved per example, over the examples walked
    double lower = 0;  ///< bounds of the confidence sequence; infinite below n0 examples
    double upper = 0;
    double deviation = 0;         ///< sample standard deviation
    double skewness = 0;          ///< of all the differences given
    std::int64_t needed = 0;      ///< examples needed before differences this skewed may decide
    std::int64_t t = 0;           ///< examples walked before the decision
    double delta = 0;             ///< the error that was spent
    double rent = 0;              ///< the rent that the bounds were compared with
    std::int64_t not_finite = 0;  ///< differences that were NaN or infinite; any of them culls
};

/// Walks the per-example differences d_i = (loss with α = 0) − (loss with α = 1), given in a random
/// order fixed beforehand (`probe_order`), and stops at the first example that decides: keep when
/// the lower bound of a ConfidenceSequence exceeds the rent, cull when the upper bound is below it.
/// If no example decides, the result is hold.
///
/// The bounds assume that the mean of the first n0 differences is about normal. That is false for
/// a seed that helps most examples a little and ruins a few: until enough ruined examples have been
/// seen, the others look like a sure gain. So no decision is made before t ≥ 25·skewness²
/// (Cochran's rule, Sampling Techniques, 1977, §2.15), with the skewness of the examples walked and
/// that of all examples given. The bounds hold at every t, so t may depend on all the examples.
///
/// A difference that is not finite culls at once: a seed that breaks an example is not kept. An
/// invalid spec (delta outside (0, 1), rent NaN) never decides.
GateResult look(std::span<const float> d, const GateSpec& spec);

/// How many examples of a probe set of `total` a look walks next, all that it has walked included;
/// 0 where it is over. `d` is what it has walked. It begins with the smallest sample that may
/// decide and doubles, or goes to what would confirm a keep, as long as more examples can change
/// the verdict:
///   cull  is over at once;
///   keep  is over when spec.confirmed_by times as many examples are walked as decided it. A keep
///         that is final wants four times as many, so that the wait for skewed differences has seen
///         them (with twice as many, harm to 1 example in 200 was kept in 7 % of simulated walks at
///         delta 0.05); before an earlier keep does harm, another look follows;
///   hold  is over where not even the mean's upper end (three standard errors above it) would be
///         kept with all examples of the set.
/// A look that ends early can only lose a keep, so the promise of look() holds.
std::int64_t next_round(std::span<const float> d, const GateSpec& spec, std::int64_t total);

/// The k-th seed's share (k ≥ 1) of a run's error δ: δ/(k(k+1)). The shares sum to δ.
double error_of_seed(double delta, std::int64_t k);
/// The l-th look's share (l ≥ 1) of a seed's error δ_k: δ_k·6/(π²l²). The shares sum to δ_k.
double error_of_look(double delta_of_seed, std::int64_t l);

/// The rent: the loss per example that a seed must save to be worth its cost. It is
/// κ·ΔFLOPs/FLOPs + κ'·Δparameters/parameters, both relative to the host.
double rent_of(const configs::GateConfig& gate, double relative_flops, double relative_parameters);

/// The order in which the probe set is walked: random, and the same in every look of a run.
std::vector<std::uint32_t> probe_order(std::uint64_t run_seed, std::uint32_t examples);

/// The result as written to events.jsonl; infinite bounds become null ("not measured").
nlohmann::json to_json(const GateResult& result);

}  // namespace esper::tamiyo
