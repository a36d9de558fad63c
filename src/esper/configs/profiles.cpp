#include "esper/configs/profiles.h"

#include <array>

namespace esper::configs {
namespace {

// While something is being tried: little is kept, and every step is looked at.
constexpr auto kDevelopment = std::to_array<ProfileValue>({
    {"checkpoint.every", "2ep"},
    {"checkpoint.keep", "2"},
    {"telemetry.every", "1"},
});

// The same bits on every machine.
constexpr auto kTesting = std::to_array<ProfileValue>({
    {"run.threads", "1"},
    {"run.precision", "fp32"},
    {"data.workers", "0"},
    {"checkpoint.keep", "2"},
});

// A run that others wait for: a machine that is lost costs minutes, and trouble is met oftener
// than by hand.
constexpr auto kStaging = std::to_array<ProfileValue>({
    {"checkpoint.every", "10m"},
    {"checkpoint.keep", "5"},
});

constexpr auto kProduction = std::to_array<ProfileValue>({
    {"checkpoint.every", "10m"},
    {"checkpoint.keep", "10"},
    {"checkpoint.rollback.max_rollbacks", "10"},
});

// One graft at a time on one machine, at the pace of the first design.
constexpr auto kPhase1Mvp = std::to_array<ProfileValue>({
    {"growth.limits.max_in_flight", "1"},
    {"growth.limits.max_adaptations_per_epoch", "2"},
    {"growth.cooldown", "5ep"},
    {"checkpoint.every", "10ep"},
    {"checkpoint.keep", "5"},
});

}  // namespace

std::span<const ProfileValue> profile_values(Profile profile) {
    switch (profile) {
        case Profile::kNone:
            return {};
        case Profile::kDevelopment:
            return kDevelopment;
        case Profile::kTesting:
            return kTesting;
        case Profile::kStaging:
            return kStaging;
        case Profile::kProduction:
            return kProduction;
        case Profile::kPhase1Mvp:
            return kPhase1Mvp;
    }
    return {};
}

}  // namespace esper::configs
