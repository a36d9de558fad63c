#include "esper/services/tolaria/grow/rollback.h"

#include <fmt/format.h>

namespace esper::tolaria {

std::string_view to_text(TroubleKind kind) {
    switch (kind) {
        case TroubleKind::kNotFinite:
            return "not_finite";
        case TroubleKind::kSpike:
            return "spike";
        case TroubleKind::kRequest:
            return "request";
        case TroubleKind::kSplit:
            return "split";
    }
    return "?";
}

namespace {

// The keys that make a loss run away, with what they are now; which of them it was, nobody knows.
std::string advice(const configs::EsperConfig& config) {
    const auto& o = config.optimization;
    auto keys = fmt::format("optimization.learning_rate ({:g}), optimization.weight_decay ({:g})",
                            o.learning_rate, o.weight_decay);
    keys += o.clip_norm > 0 ? fmt::format(", optimization.clip_norm ({:g})", o.clip_norm)
                            : ", optimization.clip_norm (0: gradients are not clipped)";
    using configs::Optimizer;
    if (o.optimizer == Optimizer::kAdamw || o.optimizer == Optimizer::kMuon)
        keys += fmt::format(", optimization.eps ({:g})", o.eps);
    if (o.optimizer == Optimizer::kSgd || o.optimizer == Optimizer::kMuon)
        keys += fmt::format(", optimization.momentum ({:g})", o.momentum);
    if (config.run.precision == configs::Precision::kBf16) keys += ", run.precision (bf16)";
    return "The keys that it may be: " + keys + "; or the data";
}

tl::unexpected<Error> diverged(const configs::EsperConfig& config, const Trouble& trouble,
                               std::int64_t step, const std::string& why) {
    return fail(TolariaError::kDiverged,
                fmt::format("at step {}: {}; {}. {}", step, trouble.reason, why, advice(config)));
}

}  // namespace

Status check_allowed(const configs::EsperConfig& config, const RollbackHistory& history,
                     const Trouble& trouble, std::int64_t step) {
    if (trouble.kind == TroubleKind::kRequest || trouble.kind == TroubleKind::kSplit) return {};
    const auto& rollback = config.checkpoint.rollback;
    if (!rollback.enabled)
        return diverged(config, trouble, step, "checkpoint.rollback.enabled is false");
    if (history.spent >= rollback.max_rollbacks)
        return diverged(config, trouble, step,
                        fmt::format("the run has gone back {} times already, which is all that "
                                    "checkpoint.rollback.max_rollbacks allows",
                                    history.spent));
    return {};
}

Status check_it_can_help(const configs::EsperConfig& config, const RollbackHistory& history,
                         const Trouble& trouble, std::int64_t step, double losses_before,
                         std::int64_t target) {
    if (trouble.kind != TroubleKind::kNotFinite || history.trouble != to_text(trouble.kind) ||
        history.trouble_step != step || history.losses_before != losses_before ||
        history.target != target)
        return {};
    return diverged(config, trouble, step,
                    fmt::format("going back to step {} at half the learning rate has changed "
                                "nothing: the same losses led to it again, and there is no older "
                                "checkpoint",
                                target));
}

Result<CheckpointRing::Found> find_target(const CheckpointRing& ring,
                                          const RollbackHistory& history, const Trouble& trouble,
                                          std::int64_t step, std::int64_t split_step) {
    const bool request = trouble.kind == TroubleKind::kRequest;
    const bool split = trouble.kind == TroubleKind::kSplit;
    auto found = ring.newest_until(split ? split_step : request ? step - 1 : step);
    if (!found)
        return fail(TolariaError::kDiverged,
                    fmt::format("at step {}: {}; there is no checkpoint to go back to ({})", step,
                                trouble.reason, found.error().message()));
    if (request || split || step > history.reached || found->step < history.target) return found;
    if (auto older = ring.newest_until(history.target - 1)) return older;
    return found;
}

}  // namespace esper::tolaria
