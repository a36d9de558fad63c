#include "esper/contracts/validators.h"

#include <fmt/format.h>

#include <initializer_list>
#include <limits>
#include <span>
#include <vector>

#include "esper/base/hash.h"
#include "esper/contracts/seed_lifecycle.h"

namespace esper::contracts {
namespace {

bool is_any_of(const Actor& actor, std::initializer_list<Actor> allowed) {
    for (const Actor& a : allowed) {
        if (a == actor) return true;
    }
    return false;
}

std::string names(std::span<const Actor> actors) {
    std::string out;
    for (const Actor& a : actors) {
        if (!out.empty()) out += " or ";
        out += actor_name(a);
    }
    return out;
}

template <typename E>
Status illegal(E from, E to) {
    return fail(ContractError::kIllegalTransition,
                fmt::format("{} cannot go from {} to {}", esper_enum_name(E{}), to_text(from),
                            to_text(to)));
}

template <typename E>
Status refused(E from, E to, const Actor& actor, std::span<const Actor> allowed) {
    return fail(ContractError::kWrongRole,
                fmt::format("expected {} to move {} from {} to {}, got {}", names(allowed),
                            esper_enum_name(E{}), to_text(from), to_text(to), actor_name(actor)));
}

template <typename E>
Status require(E from, E to, const Actor& actor, std::initializer_list<Actor> allowed) {
    if (is_any_of(actor, allowed)) return {};
    return refused(from, to, actor, allowed);
}

}  // namespace

std::string_view actor_name(const Actor& actor) {
    return std::visit([](auto a) { return to_text(a); }, actor);
}

Result<std::pair<std::uint32_t, std::uint32_t>> validate_seed_id(std::span<const std::int64_t> id) {
    if (id.size() != 2) {
        return fail(ContractError::kWrongType,
                    fmt::format("expected (layer, seed), got {} numbers", id.size()));
    }
    for (const std::int64_t n : id) {
        if (n < 0 || n > std::numeric_limits<std::uint32_t>::max()) {
            return fail(ContractError::kOutOfRange,
                        fmt::format("expected a non-negative index of 32 bits, got {}", n));
        }
    }
    return std::pair{static_cast<std::uint32_t>(id[0]), static_cast<std::uint32_t>(id[1])};
}

Status check_transition(BlueprintStatus from, BlueprintStatus to, const Actor& actor) {
    using enum BlueprintStatus;
    if ((from == kUnvalidated && to == kCompiling) ||
        (from == kCompiling && (to == kCompiled || to == kInvalid))) {
        return require(from, to, actor, {ComponentType::kTezzeret});
    }
    if ((from == kCompiled || from == kInvalid) && to == kArchived) {
        return require(from, to, actor,
                       {ComponentType::kUrza, AccessRole::kCurator, AccessRole::kAdmin});
    }
    return illegal(from, to);
}

Status check_transition(KernelStatus from, KernelStatus to, const Actor& actor) {
    using enum KernelStatus;
    if (from == kPendingBenchmarking && (to == kValidated || to == kRejected)) {
        return require(from, to, actor, {ComponentType::kUrabrask});
    }
    if ((from == kValidated || from == kRejected) && to == kDeprecated) {
        return require(from, to, actor,
                       {ComponentType::kUrza, AccessRole::kCurator, AccessRole::kAdmin});
    }
    return illegal(from, to);
}

Status check_transition(SeedState from, SeedState to, const Actor& actor) {
    if (!may_go(from, to)) return illegal(from, to);
    const auto* component = std::get_if<ComponentType>(&actor);
    if (component != nullptr && may_move(from, to, *component)) return {};
    std::vector<Actor> movers;
    for (const auto& entry : enum_entries<ComponentType>()) {
        if (may_move(from, to, entry.value)) movers.emplace_back(entry.value);
    }
    return refused(from, to, actor, movers);
}

Status check_command(AdaptationCommand command, ComponentType issued_by) {
    ComponentType owner = ComponentType::kTamiyo;
    if (command == AdaptationCommand::kRollback) owner = ComponentType::kTolaria;
    if (command == AdaptationCommand::kPrune) owner = ComponentType::kEmrakul;
    if (issued_by == owner) return {};
    return fail(ContractError::kWrongRole,
                fmt::format("expected {} to command {}, got {}", to_text(owner), to_text(command),
                            to_text(issued_by)));
}

Status advance(Blueprint& blueprint, BlueprintStatus to, const Actor& actor, Timestamp when) {
    ESPER_CHECK_STATUS(check_transition(blueprint.status, to, actor));
    if (when < blueprint.updated_at) {
        return fail(ContractError::kInconsistent,
                    fmt::format("expected a time from {} on, got {}",
                                to_string(blueprint.updated_at), to_string(when)));
    }
    blueprint.status = to;
    blueprint.updated_at = when;
    return {};
}

Status advance(CompiledKernelArtifact& kernel, KernelStatus to, const Actor& actor,
               const UrabraskValidationReport* report) {
    ESPER_CHECK_STATUS(check_transition(kernel.status, to, actor));
    if (to == KernelStatus::kValidated || to == KernelStatus::kRejected) {
        const bool passed = to == KernelStatus::kValidated;
        if (report == nullptr || report->passed_validation != passed) {
            return fail(ContractError::kInconsistent,
                        fmt::format("expected a report that {} to make a kernel {}",
                                    passed ? "passed" : "did not pass", to_text(to)));
        }
        ESPER_CHECK_STATUS(check(*report));
        kernel.validation_report = *report;
    }
    kernel.status = to;
    return {};
}

Status validate(const Blueprint& blueprint) {
    ESPER_CHECK_STATUS(check(blueprint));
    const std::string actual = esper::sha256(blueprint.architecture).hex();
    if (actual != blueprint.architecture_sha256) {
        return fail(ContractError::kChecksumMismatch,
                    fmt::format("Blueprint.architecture: expected SHA-256 {}, got {}; the text was "
                                "changed after it was hashed",
                                blueprint.architecture_sha256, actual));
    }
    return {};
}

}  // namespace esper::contracts
