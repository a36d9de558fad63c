#include "esper/contracts/validators.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "contracts/sample_types.h"
#include "esper/base/clock.h"
#include "esper/base/hash.h"
#include "esper/contracts/identity.h"
#include "esper/contracts/messages.h"
#include "esper/contracts/registry.h"
#include "esper/contracts/seed_lifecycle.h"

namespace esper::contracts {
namespace {

std::vector<Actor> everyone() {
    std::vector<Actor> all;
    for (const auto& c : enum_entries<ComponentType>()) all.emplace_back(c.value);
    for (const auto& r : enum_entries<AccessRole>()) all.emplace_back(r.value);
    return all;
}

/// Checks every (from, to, actor): legal if `owners` names the actor, kWrongRole if the move is
/// legal for other actors, otherwise illegal.
template <typename E>
void check_machine(const std::map<std::pair<E, E>, std::set<Actor>>& owners) {
    for (const auto& from : enum_entries<E>()) {
        for (const auto& to : enum_entries<E>()) {
            for (const Actor& actor : everyone()) {
                const Status s = check_transition(from.value, to.value, actor);
                const auto move = owners.find({from.value, to.value});
                if (move == owners.end()) {
                    ASSERT_FALSE(s) << from.text << to.text;
                    EXPECT_TRUE(s.error().is(ContractError::kIllegalTransition));
                } else if (move->second.contains(actor)) {
                    EXPECT_TRUE(s) << s.error().to_string();
                } else {
                    ASSERT_FALSE(s) << from.text << to.text << actor_name(actor);
                    EXPECT_TRUE(s.error().is(ContractError::kWrongRole));
                }
            }
        }
    }
}

const std::set<Actor> kCurators = {ComponentType::kUrza, AccessRole::kCurator, AccessRole::kAdmin};

TEST(StatusMachines, ABlueprintIsMovedByTheCompilerAndArchivedByTheLibrary) {
    using enum BlueprintStatus;
    const std::set<Actor> compiler = {ComponentType::kTezzeret};
    check_machine<BlueprintStatus>({{{kUnvalidated, kCompiling}, compiler},
                                    {{kCompiling, kCompiled}, compiler},
                                    {{kCompiling, kInvalid}, compiler},
                                    {{kCompiled, kArchived}, kCurators},
                                    {{kInvalid, kArchived}, kCurators}});
}

TEST(StatusMachines, OnlyTheEvaluatorValidatesAKernel) {
    using enum KernelStatus;
    const std::set<Actor> evaluator = {ComponentType::kUrabrask};
    check_machine<KernelStatus>({{{kPendingBenchmarking, kValidated}, evaluator},
                                 {{kPendingBenchmarking, kRejected}, evaluator},
                                 {{kValidated, kDeprecated}, kCurators},
                                 {{kRejected, kDeprecated}, kCurators}});
}

TEST(StatusMachines, SeedsAreMovedByWhoMovesThemInARun) {
    using enum SeedState;
    const Actor tamiyo = ComponentType::kTamiyo;
    const Actor kasmina = ComponentType::kKasmina;
    std::map<std::pair<SeedState, SeedState>, std::set<Actor>> owners;
    for (const auto& from : enum_entries<SeedState>()) {
        for (const auto& to : enum_entries<SeedState>()) {
            if (!may_go(from.value, to.value)) continue;
            auto& who = owners[{from.value, to.value}];
            const bool reported = from.value == kLoading || from.value == kCulled ||
                                  from.value == kCancelled || from.value == kErrorRecovery;
            if (to.value == kRolledBack) {
                who = {ComponentType::kTolaria};
            } else if (to.value == kErrorRecovery) {
                who = {kasmina};
            } else {
                who = reported ? std::set<Actor>{tamiyo, kasmina} : std::set<Actor>{tamiyo};
            }
        }
    }
    check_machine<SeedState>(owners);
}

TEST(Commands, EachHasOneSubsystemThatMayGiveIt) {
    for (const auto& command : enum_entries<AdaptationCommand>()) {
        for (const auto& who : enum_entries<ComponentType>()) {
            ComponentType owner = ComponentType::kTamiyo;
            if (command.value == AdaptationCommand::kRollback) owner = ComponentType::kTolaria;
            if (command.value == AdaptationCommand::kPrune) owner = ComponentType::kEmrakul;
            EXPECT_EQ(check_command(command.value, who.value).has_value(), who.value == owner);
        }
    }
    KasminaControlCommand c{.command_id = new_uuid(),
                            .target = {.layer = "l", .layer_index = 0, .seed = 0},
                            .command = AdaptationCommand::kRollback,
                            .issued_by = ComponentType::kTamiyo};
    EXPECT_TRUE(check(c).error().is(ContractError::kInconsistent));
    c.command = AdaptationCommand::kGerminate;
    EXPECT_TRUE(check(c).error().is(ContractError::kInconsistent));
    c.kernel_artifact_id = "k";
    c.blueprint_id = "b";
    EXPECT_TRUE(check(c)) << check(c).error().to_string();
}

TEST(SeedIds, AreTwoNonNegativeIndexes) {
    EXPECT_EQ(*validate_seed_id(std::array<std::int64_t, 2>{3, 4}), (std::pair{3u, 4u}));
    EXPECT_TRUE(
        validate_seed_id(std::array<std::int64_t, 1>{3}).error().is(ContractError::kWrongType));
    EXPECT_TRUE(validate_seed_id(std::array<std::int64_t, 2>{3, -1})
                    .error()
                    .is(ContractError::kOutOfRange));
    EXPECT_TRUE(validate_seed_id(std::array<std::int64_t, 2>{1ll << 32, 1})
                    .error()
                    .is(ContractError::kOutOfRange));
}

constexpr std::string_view kProgram =
    "esper-program 1 \"tiny\"\n# comment\n\ninput x: f32[?, 8]\nparam w: f32[8, 8] normal(0.1)\n"
    "%0 = aten::linear(x, w, none) @ \"a%9b\"\n%1, %2 = aten::max.dim(%0, 1, false)\n"
    "anchor a: vector %0 features 8\noutput y: %1\n";

Blueprint sample_blueprint() {
    Blueprint b{.blueprint_id = std::string(64, 'a'), .name = "tiny", .description = "one layer"};
    b.architecture = kProgram;
    b.architecture_sha256 = sha256(kProgram).hex();
    b.created_by = "Karn";
    return b;
}

TEST(Blueprints, AreCheckedDownToTheHashOfTheirProgram) {
    Blueprint b = sample_blueprint();
    EXPECT_TRUE(validate(b)) << validate(b).error().to_string();
    b.architecture += " ";
    EXPECT_TRUE(validate(b).error().is(ContractError::kChecksumMismatch));
    b.name = "";
    EXPECT_TRUE(validate(b).error().is(ContractError::kOutOfRange));
}

TEST(Blueprints, AdvanceOnlyLegallyAndForwardInTime) {
    Blueprint b = sample_blueprint();
    b.updated_at = {100};
    EXPECT_FALSE(advance(b, BlueprintStatus::kArchived, ComponentType::kUrza, {200}));
    EXPECT_TRUE(advance(b, BlueprintStatus::kCompiling, ComponentType::kTezzeret, {200}));
    EXPECT_TRUE(advance(b, BlueprintStatus::kCompiled, ComponentType::kTezzeret, {150})
                    .error()
                    .is(ContractError::kInconsistent));
    EXPECT_EQ(b.status, BlueprintStatus::kCompiling);
    EXPECT_EQ(b.updated_at, Timestamp{200});
}

UrabraskValidationReport sample_report(bool passed) {
    return {.passed_validation = passed,
            .benchmark_results = {{"latency_ms_mean", 0.4}},
            .hardware_context = {.device_type = DeviceType::kCpu, .memory_available_gb = 8}};
}

CompiledKernelArtifact sample_kernel() {
    return {.kernel_artifact_id = "k",
            .blueprint_id = "b",
            .kernel_binary_ref = "s3://esper/k",
            .metadata = {.name = "k"},
            .compilation_metadata = {.toolchain_version = "g++ 12"}};
}

TEST(Kernels, BecomeValidatedOnlyWithAReportThatSaysSo) {
    CompiledKernelArtifact k = sample_kernel();
    const auto failing = sample_report(false);
    const auto passing = sample_report(true);
    const Actor evaluator = ComponentType::kUrabrask;
    EXPECT_TRUE(
        advance(k, KernelStatus::kValidated, evaluator).error().is(ContractError::kInconsistent));
    EXPECT_FALSE(advance(k, KernelStatus::kValidated, evaluator, &failing));
    EXPECT_FALSE(advance(k, KernelStatus::kRejected, evaluator, &passing));
    EXPECT_FALSE(advance(k, KernelStatus::kValidated, ComponentType::kTezzeret, &passing));
    auto contradictory = passing;
    contradictory.failure = "no";
    EXPECT_FALSE(advance(k, KernelStatus::kValidated, evaluator, &contradictory));
    EXPECT_EQ(k.status, KernelStatus::kPendingBenchmarking);
    EXPECT_TRUE(advance(k, KernelStatus::kValidated, evaluator, &passing));
    EXPECT_TRUE(check(k)) << check(k).error().to_string();
    EXPECT_TRUE(advance(k, KernelStatus::kDeprecated, AccessRole::kCurator));
}

TEST(Consistency, FieldsThatContradictEachOtherAreRefused) {
    CompiledKernelArtifact k = sample_kernel();
    k.status = KernelStatus::kValidated;
    EXPECT_NE(k.inconsistency(), "");
    k.status = KernelStatus::kPendingBenchmarking;
    k.validation_report = sample_report(true);
    EXPECT_NE(k.inconsistency(), "");
    k.validation_report.reset();
    k.compilation_pipeline = CompilationPipeline::kAggressive;
    EXPECT_NE(k.inconsistency(), "");

    auto report = sample_report(true);
    report.risk_score = 0.3;
    EXPECT_NE(report.inconsistency(), "");
    report.conf_level = ConfidenceLevel::kHigh;
    EXPECT_NE(report.inconsistency(), "");
    report.conf_level = confidence_for_risk(0.3);
    EXPECT_EQ(report.inconsistency(), "");
    EXPECT_EQ(confidence_for_risk(0.2), ConfidenceLevel::kHigh);
    EXPECT_EQ(confidence_for_risk(0.51), ConfidenceLevel::kSpeculative);

    SystemStatePacket packet{.total_seeds = 1, .active_seeds = 2};
    EXPECT_NE(packet.inconsistency(), "");
    packet.active_seeds = 1;
    packet.seeds.resize(2);
    EXPECT_NE(packet.inconsistency(), "");
    EXPECT_NE((HealthSignal{.active_seeds = 2}).inconsistency(), "");
    EXPECT_NE((FieldReport{.germinated_epoch = 2, .ended_epoch = 1}).inconsistency(), "");
    EXPECT_NE((Blueprint{.created_at = {2}, .updated_at = {1}}).inconsistency(), "");

    KernelQueryResult result{.matching_kernels = {{.score = 1}, {.score = 2}}, .total_matches = 2};
    EXPECT_NE(result.inconsistency(), "");
    std::swap(result.matching_kernels[0], result.matching_kernels[1]);
    EXPECT_EQ(result.inconsistency(), "");
    result.total_matches = 1;
    EXPECT_NE(result.inconsistency(), "");
}

TEST(Derived, VerdictsFollowTheirThresholds) {
    EXPECT_EQ((HealthSignal{.health_score = 0.8}).verdict(), HealthVerdict::kHealthy);
    EXPECT_EQ((HealthSignal{.health_score = 0.6}).verdict(), HealthVerdict::kWarning);
    EXPECT_EQ((HealthSignal{.health_score = 0.59}).verdict(), HealthVerdict::kCritical);
    EXPECT_TRUE((HealthSignal{.health_score = 0.7, .error_count = 4}).is_healthy());
    EXPECT_FALSE((HealthSignal{.health_score = 1, .error_count = 5}).is_healthy());
    EXPECT_EQ((SystemStatePacket{.system_load = 0.91}).system_health(), HealthVerdict::kCritical);
    EXPECT_EQ((SystemStatePacket{.memory_usage = 0.71}).system_health(), HealthVerdict::kWarning);
    EXPECT_EQ(SystemStatePacket{}.system_health(), HealthVerdict::kHealthy);
    EXPECT_TRUE((SystemStatePacket{.memory_usage = 0.81}).is_overloaded());
    EXPECT_EQ((AdaptationDecision{.confidence = 0.9, .urgency = 0.7}).priority(), Priority::kHigh);
    EXPECT_EQ((AdaptationDecision{.confidence = 0.5, .urgency = 0.5}).priority(),
              Priority::kMedium);
    EXPECT_EQ((AdaptationDecision{.confidence = 0.1, .urgency = 0.5}).priority(), Priority::kLow);
    EXPECT_TRUE((AdaptationDecision{.confidence = 0.61, .urgency = 0.71}).is_immediate());
    EXPECT_TRUE((KernelMetadata{.input_shape = {3, 8}}).accepts({3, 8}));
    EXPECT_EQ((KernelMetadata{.memory_footprint_mb = 64}).memory_estimate_mb(16), 32);
    EXPECT_EQ(CacheTelemetry{}.hit_rate(), std::nullopt);
    EXPECT_EQ((CacheTelemetry{.hits = 3, .misses = 1}).hit_rate(), 0.75);
    Blueprint b = sample_blueprint();
    EXPECT_EQ(b.metric_summary(), "none available");
    b.performance_metrics = {{"accuracy", 0.9134}, {"latency_ms", 0.41}};
    EXPECT_EQ(b.metric_summary(), "accuracy: 0.913, latency_ms: 0.410");
    EXPECT_FALSE(b.is_deployable());
}

TEST(Identity, IsStableAndWellFormed) {
    EXPECT_NE(new_uuid(), new_uuid());
    EXPECT_EQ(stable_hash64("abc"), 0xba7816bf8f01cfeaull);
    EXPECT_EQ(artifact_id(std::string(64, 'b'), "x86-64-v4", CompilationPipeline::kFast,
                          std::string(64, 'c')),
              "bbbbbbbbbbbb-x86-64-v4-fast-cccccccc");
    EXPECT_EQ(find_contract("EpochEvent"), find_contract(44));
    EXPECT_EQ(find_contract("Nothing"), nullptr);
    EXPECT_EQ(find_contract(static_cast<std::uint8_t>(255)), nullptr);
}

TEST(Messages, AreWrappedWithIdTimeAndPayload) {
    const ManualClock clock(1'700'000'000'000'000'000);
    const auto m = wrap_message(Topic::kEpochEvents, "tolaria", "trace", AdaptationSignal{}, clock);
    ASSERT_TRUE(m) << m.error().to_string();
    EXPECT_EQ(contracts::to_string(m->timestamp), "2023-11-14T22:13:20Z");
    EXPECT_TRUE(from_json<AdaptationSignal>(m->payload.text()));
    EXPECT_FALSE(make_message(Topic::kEpochEvents, "", "trace", "{}", clock));
    EXPECT_FALSE(make_message(Topic::kEpochEvents, "x", "trace", "{", clock));
    EXPECT_FALSE(wrap_message(Topic::kEpochEvents, "x", "trace", AllocationCommand{}, clock));
    std::ostringstream out;
    out << *m;
    EXPECT_NE(out.str().find("topic=system.events.epoch"), std::string::npos);
}

TEST(Timestamps, KeepNanosecondsAndRefuseEverythingElse) {
    for (const char* text :
         {"1969-12-31T23:59:59.999999999Z", "2026-11-23T09:18:05Z", "2024-02-29T00:00:00.120Z",
          "1678-01-01T00:00:00Z", "2261-12-31T23:59:59.000001Z"}) {
        ASSERT_TRUE(parse_timestamp(text)) << text;
        EXPECT_EQ(to_string(*parse_timestamp(text)), text);
    }
    for (const char* text :
         {"", "2026", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-01 00:00:00Z",
          "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
          "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.Z",
          "2026-01-01T00:00:00.1234567890Z", "1677-01-01T00:00:00Z", "2026-1-01T00:00:00Z",
          "2026-01-1T00:00:00Z", "2026-01-01T0:00:00Z", "2026-01-01T00:0:00Z",
          "2262-01-01T00:00:00Z"}) {
        EXPECT_FALSE(parse_timestamp(text)) << text;
    }
    const auto late = check(
        UrabraskValidationReport{.report_timestamp = {std::numeric_limits<std::int64_t>::max()}});
    EXPECT_NE(late.error().message().find("years 1678 to 2261"), std::string::npos);
}

}  // namespace
}  // namespace esper::contracts
