#include "esper/services/tamiyo/gate.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "esper/base/random.h"

namespace esper::tamiyo {

namespace {

std::int64_t examples_for(double skewness) {
    return static_cast<std::int64_t>(std::ceil(std::min(25.0 * skewness * skewness, 9e15)));
}

}  // namespace

GateResult look(std::span<const float> d, const GateSpec& spec) {
    GateResult result;
    result.delta = spec.delta_k;
    result.rent = spec.rent;
    result.not_finite =
        std::count_if(d.begin(), d.end(), [](float v) { return !std::isfinite(v); });
    ConfidenceSequence sequence(spec.delta_k, spec.n0);
    if (result.not_finite > 0) {
        result.verdict = Verdict::kCull;
    } else {
        ConfidenceSequence all(spec.delta_k, spec.n0);
        for (const float difference : d) all.add(difference);
        result.skewness = all.skewness();
        result.needed = std::max(spec.n0, examples_for(result.skewness));
        for (const float difference : d) {
            sequence.add(difference);
            if (sequence.count() < result.needed ||
                sequence.count() < examples_for(sequence.skewness()))
                continue;
            const double radius = sequence.radius();
            if (sequence.mean() - radius > spec.rent) result.verdict = Verdict::kKeep;
            if (sequence.mean() + radius < spec.rent) result.verdict = Verdict::kCull;
            if (result.verdict != Verdict::kHold) break;
        }
    }
    result.mean = sequence.mean();
    result.lower = sequence.lower();
    result.upper = sequence.upper();
    result.deviation = sequence.deviation();
    result.t = sequence.count();
    return result;
}

std::int64_t next_round(std::span<const float> d, const GateSpec& spec, std::int64_t total) {
    const auto walked = static_cast<std::int64_t>(d.size());
    if (walked >= total) return 0;
    if (walked == 0) return std::min(total, std::max<std::int64_t>(spec.n0, 2));
    const auto result = look(d, spec);
    if (result.verdict == Verdict::kCull) return 0;
    if (result.verdict == Verdict::kKeep) {
        const std::int64_t confirmed = std::min(total, spec.confirmed_by * result.t);
        return walked >= confirmed ? 0 : confirmed;
    }
    if (result.verdict == Verdict::kHold) {
        const double best =
            result.mean + 3 * result.deviation / std::sqrt(static_cast<double>(walked));
        const double radius =
            ConfidenceSequence::radius_at(total, result.deviation, spec.delta_k, spec.n0);
        if (!(best - radius > spec.rent)) return 0;
    }
    return std::min(total, 2 * walked);
}

double error_of_seed(double delta, std::int64_t k) {
    const auto n = static_cast<double>(k);
    return delta / (n * (n + 1.0));
}

double error_of_look(double delta_of_seed, std::int64_t l) {
    const auto n = static_cast<double>(l);
    return delta_of_seed * 6.0 / (std::numbers::pi * std::numbers::pi * n * n);
}

double rent_of(const configs::GateConfig& gate, double relative_flops, double relative_parameters) {
    return gate.rent * relative_flops + gate.rent_parameters * relative_parameters;
}

std::vector<std::uint32_t> probe_order(std::uint64_t run_seed, std::uint32_t examples) {
    RandomStream stream(run_seed, "tamiyo.probe_order");
    return random_permutation(stream, examples);
}

nlohmann::json to_json(const GateResult& r) {
    const auto number = [](double value) {
        return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
    };
    return {{"verdict", contracts::to_text(r.verdict)},
            {"mean", r.t > 0 ? number(r.mean) : nlohmann::json(nullptr)},
            {"lower", number(r.lower)},
            {"upper", number(r.upper)},
            {"deviation", number(r.deviation)},
            {"skewness", number(r.skewness)},
            {"needed", r.needed},
            {"examples", r.t},
            {"delta", number(r.delta)},
            {"rent", number(r.rent)},
            {"not_finite", r.not_finite}};
}

}  // namespace esper::tamiyo
