#include "esper/configs/relations.h"

#include <fmt/format.h>

#include "esper/configs/numbers.h"

namespace esper::configs {
namespace {

void check_model(const EsperConfig& c, const Complain& complain) {
    if (!c.model.path.empty()) return;  // an imported model brings its own shape
    const bool gpt = c.model.host == Host::kGpt;
    if (gpt != (c.data.kind == DataKind::kText)) {
        complain({"model.host", "data.kind"},
                 gpt ? "a gpt learns from text; choose data.kind: text or another model.host"
                     : "text needs a gpt; choose model.host: gpt or another data.kind");
    }
    if (gpt && c.model.width % c.model.heads != 0) {
        complain({"model.width", "model.heads"},
                 fmt::format("the heads must share the width evenly, got {} for {}", c.model.heads,
                             c.model.width));
    }
    if (gpt && c.data.context > c.model.context) {
        complain({"data.context", "model.context"},
                 fmt::format("examples of {} characters are longer than the model's {}",
                             c.data.context, c.model.context));
    }
    if (c.model.host == Host::kResnet && (c.model.depth < 8 || (c.model.depth - 2) % 6 != 0)) {
        complain({"model.depth", "model.host"},
                 fmt::format("a resnet has 6n+2 layers (8, 14, 20, …), got {}", c.model.depth));
    }
}

void check_data(const EsperConfig& c, const Complain& complain) {
    const SplitConfig& split = c.data.split;
    const double sum = split.train + split.probe + split.validation + split.test;
    if (sum > 1 + 1e-9) {
        complain(
            {"data.split.train", "data.split.probe", "data.split.validation", "data.split.test"},
            fmt::format("the four parts are disjoint, so their shares add up to at most 1, "
                        "got {}",
                        write_number(sum)));
    }
    if (c.data.kind == DataKind::kCifar10 && split.test > 0) {
        complain({"data.split.test", "data.kind"},
                 "cifar10 brings its own test images; set data.split.test to 0");
    }
    if (c.data.kind != DataKind::kCifar10 && split.test <= 0) {
        complain({"data.split.test", "data.kind"},
                 "this data has no test part of its own; give data.split.test a share");
    }
    if (c.data.kind != DataKind::kDrawn && c.data.path.empty()) {
        complain({"data.path", "data.kind"}, "this data is read from data.path, which is empty");
    }
}

void check_schedule(const EsperConfig& c, const Complain& complain) {
    const OptimizationConfig& o = c.optimization;
    if (o.optimizer == Optimizer::kSgd && o.nesterov && o.momentum <= 0) {
        complain({"optimization.nesterov", "optimization.momentum"},
                 "nesterov needs a momentum above 0");
    }
    const bool cools = o.schedule == Schedule::kWarmupConstantCooldown;
    if (cools && o.warmup.unit == TimeUnit::kRunShare &&
        o.warmup.value / 100 + o.cooldown > 1 + 1e-9) {
        complain({"optimization.warmup", "optimization.cooldown"},
                 "warm-up and cool-down together are longer than the run");
    }
    if (!c.growth.enabled) return;
    if (c.growth.start >= c.growth.stop) {
        complain({"growth.start", "growth.stop"},
                 fmt::format("growth must start before it stops, got {} and {}",
                             write_number(c.growth.start), write_number(c.growth.stop)));
    }
    if (cools && c.growth.stop > 1 - o.cooldown + 1e-9) {
        complain({"growth.stop", "optimization.cooldown"},
                 fmt::format("nothing may germinate in the cool-down, which begins at {} of the "
                             "run; growth.stop is {}",
                             write_number(1 - o.cooldown), write_number(c.growth.stop)));
    }
}

void check_growth(const EsperConfig& c, const Complain& complain) {
    if (c.growth.enabled && c.growth.isolation == Isolation::kReconstruction) {
        complain(
            {"growth.isolation"},
            "a seed cannot learn by 'reconstruction' in this version; choose shadow, the task's "
            "loss with the seed added in, or straight_through, the gradient at the seed's place");
    }
}

void check_controller(const EsperConfig& c, const Complain& complain) {
    const TournamentConfig& t = c.controller.tournament;
    if (t.random_entrants > t.candidates) {
        complain({"controller.tournament.random_entrants", "controller.tournament.candidates"},
                 fmt::format("{} random entrants do not fit into {} candidates", t.random_entrants,
                             t.candidates));
    }
}

void check_places(const EsperConfig& c, const Complain& complain) {
    const DatabaseConfig& db = c.storage.database;
    const bool server = db.url.starts_with("postgres://") || db.url.starts_with("postgresql://");
    if (db.kind == DatabaseKind::kPostgres && !server) {
        complain({"storage.database.url", "storage.database.kind"},
                 "postgres needs a URL that begins with postgres:// (or DATABASE_URL)");
    }
    if (db.kind == DatabaseKind::kSqlite && db.path.empty()) {
        complain({"storage.database.path", "storage.database.kind"}, "sqlite needs a file");
    }
    const S3Config& s3 = c.storage.s3;
    if (s3.access_key.empty() != s3.secret_key.empty()) {
        complain({"storage.s3.access_key", "storage.s3.secret_key"},
                 "a key's name and its secret come together; one of them is missing");
    }
    if (c.storage.artifacts == ArtifactStore::kS3 && s3.endpoint.empty()) {
        complain({"storage.s3.endpoint", "storage.artifacts"}, "an object store needs its address");
    }
    const std::string& redis = c.bus.redis.url;
    if (c.bus.kind == BusKind::kRedis && !redis.starts_with("redis://") &&
        !redis.starts_with("rediss://")) {
        complain({"bus.redis.url", "bus.kind"},
                 "redis needs a URL that begins with redis:// or rediss:// (or REDIS_URL)");
    }
}

bool is_this_machine(std::string_view address) {
    return address.find("localhost") != std::string_view::npos ||
           address.find("127.0.0.1") != std::string_view::npos;
}

}  // namespace

void check_relations(const EsperConfig& config, const Complain& complain) {
    check_model(config, complain);
    check_data(config, complain);
    check_schedule(config, complain);
    check_growth(config, complain);
    check_controller(config, complain);
    check_places(config, complain);
}

std::vector<std::string> find_warnings(const EsperConfig& c) {
    std::vector<std::string> warnings;
    const auto warn = [&](std::string text) { warnings.push_back(std::move(text)); };
    if (c.storage.artifacts == ArtifactStore::kS3 && c.storage.s3.access_key.empty()) {
        warn("storage.s3 has no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    if (c.growth.enabled && c.optimization.schedule == Schedule::kCosine && c.growth.stop > 0.5) {
        warn("growth.stop is above 0.5 under a cosine schedule: late seeds learn too little");
    }
    if (c.run.profile != Profile::kProduction) return warnings;
    if (c.storage.artifacts == ArtifactStore::kS3 && is_this_machine(c.storage.s3.endpoint)) {
        warn("storage.s3.endpoint is this machine, in production");
    }
    if (c.bus.kind == BusKind::kRedis && is_this_machine(c.bus.redis.url)) {
        warn("bus.redis.url is this machine, in production");
    }
    if (c.storage.database.kind == DatabaseKind::kPostgres &&
        is_this_machine(c.storage.database.url)) {
        warn("storage.database.url is this machine, in production");
    }
    if (c.services.http.timeout.in_seconds().value_or(0) < 30) {
        warn("services.http.timeout is below 30s, in production");
    }
    if (c.storage.cache_mb < 256) warn("storage.cache_mb is below 256, in production");
    return warnings;
}

}  // namespace esper::configs
