#include "esper/configs/profiles.h"

#include <array>

namespace esper::configs {
namespace {

constexpr auto kDevelopment = std::to_array<ProfileValue>({
    {"logging.level", "debug"},
    {"storage.cache_mb", "128"},
    {"storage.cache_entries", "64"},
    {"storage.database.pool_size", "5"},
    {"storage.database.pool_overflow", "10"},
    {"storage.database.pool_timeout", "20s"},
    {"storage.database.pool_recycle", "30m"},
    {"services.poll_interval", "5s"},
});

// Ports of its own, so that a test may run beside a living installation.
constexpr auto kTesting = std::to_array<ProfileValue>({
    {"logging.level", "warning"},
    {"storage.cache_mb", "32"},
    {"storage.cache_entries", "16"},
    {"storage.s3.endpoint", "http://localhost:29000"},
    {"services.poll_interval", "1s"},
    {"services.http.timeout", "10s"},
    {"services.http.retries", "2"},
    {"services.urza.port", "28000"},
    {"services.tamiyo.port", "28001"},
    {"services.tezzeret.port", "28002"},
    {"services.urabrask.port", "28003"},
    {"services.tolaria.port", "28004"},
    {"services.nissa.port", "29090"},
    {"bus.redis.url", "redis://localhost:26379/1"},
});

constexpr auto kStaging = std::to_array<ProfileValue>({
    {"logging.format", "json"},
    {"services.http.timeout", "45s"},
    {"services.http.retries", "4"},
});

constexpr auto kProduction = std::to_array<ProfileValue>({
    {"logging.format", "json"},
    {"storage.cache_mb", "1024"},
    {"storage.cache_entries", "256"},
    {"storage.database.pool_size", "30"},
    {"storage.database.pool_overflow", "50"},
    {"storage.database.pool_timeout", "60s"},
    {"storage.database.ssl_mode", "require"},
    {"services.poll_interval", "15s"},
    {"services.http.timeout", "60s"},
    {"services.http.retries", "5"},
});

// One graft at a time on one machine, at the pace of the first design.
constexpr auto kPhase1Mvp = std::to_array<ProfileValue>({
    {"growth.limits.max_in_flight", "1"},
    {"growth.limits.max_adaptations_per_epoch", "2"},
    {"growth.cooldown", "5ep"},
    {"checkpoint.every", "10ep"},
    {"checkpoint.keep", "5"},
    {"bus.kind", "in_process"},
    {"storage.artifacts", "directory"},
    {"storage.database.kind", "sqlite"},
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
