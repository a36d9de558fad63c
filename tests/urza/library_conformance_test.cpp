#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "esper/services/urza/library.h"
#include "urza/conformance.h"
#include "urza/field_runs.h"
#include "urza/small_library.h"

namespace esper::urza {
namespace {

using contracts::BlueprintStatus;
using contracts::ComponentType;
using contracts::ContractError;
using contracts::KernelStatus;
using esper::testing::field_run;
using esper::testing::SmallLibrary;
using esper::testing::submission;

TEST_P(LibraryConformance, IsEmptyAtFirst) {
    SmallLibrary library(home());
    EXPECT_TRUE(library->may_change());
    EXPECT_EQ(library->head()->number, 0u);
    EXPECT_TRUE(library->blueprints({})->empty());
    EXPECT_TRUE(library->kernels({})->empty());
    EXPECT_TRUE(library->verify({})->empty());
}

TEST_P(LibraryConformance, TheSameProgramIsOneBlueprint) {
    SmallLibrary library(home());
    const std::string id = *library->add_blueprint(submission(64));
    EXPECT_EQ(*library->add_blueprint(submission(64)), id);
    EXPECT_NE(*library->add_blueprint(submission(32)), id);
    EXPECT_EQ(library->blueprints({})->size(), 2u);
    EXPECT_EQ(library->head()->number, 2u);
    const auto blueprint = *library->blueprint(id);
    EXPECT_EQ(blueprint.name, "branch-64");
    EXPECT_EQ(blueprint.status, BlueprintStatus::kUnvalidated);
    EXPECT_TRUE(library->blueprint("none").error().is(UrzaError::kUnknownBlueprint));
}

TEST_P(LibraryConformance, ABlueprintWithAForbiddenOperatorIsRefusedByName) {
    SmallLibrary library(home());
    auto bad = submission(64);
    bad.architecture.replace(bad.architecture.find("aten::relu"), 10, "aten::save");
    auto refused = library->add_blueprint(bad);
    ASSERT_TRUE(refused.error().is(UrzaError::kBadBlueprint));
    EXPECT_NE(refused.error().message().find("aten::save"), std::string::npos);
    bad.architecture = "import os";
    EXPECT_TRUE(library->add_blueprint(bad).error().is(UrzaError::kBadBlueprint));
    EXPECT_TRUE(library->blueprints({})->empty());
}

TEST_P(LibraryConformance, PagesFollowEachOther) {
    SmallLibrary library(home());
    for (int width = 1; width <= 7; ++width) ASSERT_TRUE(library->add_blueprint(submission(width)));
    std::vector<std::string> ids;
    PageOf page{"", 3};
    for (;;) {
        const auto found = *library->blueprints(page);
        for (const auto& blueprint : found) ids.push_back(blueprint.blueprint_id);
        if (found.size() < page.limit) break;
        page.after = ids.back();
    }
    EXPECT_EQ(ids.size(), 7u);
    EXPECT_TRUE(std::ranges::is_sorted(ids));
}

TEST_P(LibraryConformance, StatusesMoveOnlyAsTheyMay) {
    SmallLibrary library(home());
    const std::string id = *library->add_blueprint(submission(64));
    EXPECT_TRUE(
        library->set_blueprint_status(id, BlueprintStatus::kCompiled, ComponentType::kTezzeret)
            .error()
            .is(ContractError::kIllegalTransition));
    EXPECT_TRUE(library->set_blueprint_status(id, BlueprintStatus::kCompiling, ComponentType::kKarn)
                    .error()
                    .is(ContractError::kWrongRole));
    ASSERT_TRUE(
        library->set_blueprint_status(id, BlueprintStatus::kCompiling, ComponentType::kTezzeret));
    EXPECT_EQ(library->blueprint(id)->status, BlueprintStatus::kCompiling);
    EXPECT_TRUE(library->verify({})->empty()) << "a status is not part of what was signed";
}

TEST_P(LibraryConformance, AKernelIsOfferedOnceTheGauntletHasPassedIt) {
    SmallLibrary library(home());
    const std::string id = library.add("kernel-1");
    EXPECT_EQ(library->kernel(id)->artifact.status, KernelStatus::kPendingBenchmarking);
    EXPECT_TRUE(library->offers(library.ask())->empty());
    EXPECT_TRUE(library.load(id).error().is(execution::TrustError::kNoVerdict));
    ASSERT_TRUE(library.validate(id));
    const auto offers = *library->offers(library.ask());
    ASSERT_EQ(offers.size(), 1u);
    EXPECT_EQ(offers[0].artifact.status, KernelStatus::kValidated);
    EXPECT_EQ(offers[0].artifact.validation_report->benchmark_results.at("latency_ms_mean"), 1);
    EXPECT_TRUE(library.load(id));
    EXPECT_EQ(library->blueprint(offers[0].manifest.branch)->compiled_artifacts,
              std::vector<std::string>{id});
    library.reopen();
    EXPECT_EQ(library->offers(library.ask())->size(), 1u);
    EXPECT_TRUE(library->verify({})->empty());
}

TEST_P(LibraryConformance, ARefusedKernelIsNeverOffered) {
    SmallLibrary library(home());
    const std::string id = library.add("kernel-1");
    ASSERT_TRUE(library.validate(id));
    ASSERT_TRUE(library.validate(id, false)) << "the gauntlet tried another shape";
    EXPECT_EQ(library->kernel(id)->artifact.status, KernelStatus::kRejected);
    EXPECT_TRUE(library->offers(library.ask())->empty());
}

TEST_P(LibraryConformance, OffersFitTheQuestionAndTheFastestIsFirst) {
    SmallLibrary library(home());
    for (const auto& [id, latency] : {std::pair("slow", 3.0), {"fast", 1.0}, {"middle", 2.0}}) {
        library.add(id);
        ASSERT_TRUE(library.validate(id, true, latency));
    }
    std::vector<std::string> ids;
    const auto offers = *library->offers(library.ask());
    for (const auto& offer : offers) ids.push_back(offer.manifest.artifact);
    EXPECT_EQ(ids, (std::vector<std::string>{"fast", "middle", "slow"}));
    EXPECT_TRUE(library->offers(library.ask(2048))->empty()) << "validated up to 1024 rows";
    auto ask = library.ask();
    ask.precision = "bf16";
    EXPECT_TRUE(library->offers(ask)->empty());
    ask = library.ask();
    ask.cpu_features = {"neon"};
    EXPECT_TRUE(library->offers(ask)->empty());
    ask = library.ask();
    ask.branch = std::string(64, '0');
    EXPECT_TRUE(library->offers(ask)->empty());
}

TEST_P(LibraryConformance, TheSameKernelTwiceIsOneAndAnotherUnderItsIdIsRefused) {
    SmallLibrary library(home());
    library.add("kernel-1");
    EXPECT_EQ(library.add("kernel-1"), "kernel-1");
    const auto branch = *library->add_blueprint(submission(64));
    const auto forge = *library.keys().signer(execution::KeyRole::kForge);
    EXPECT_TRUE(library->add_kernel(SmallLibrary::new_kernel("kernel-1", branch, forge, "other"))
                    .error()
                    .is(UrzaError::kConflict));
    EXPECT_TRUE(
        library->add_kernel(SmallLibrary::new_kernel("kernel-2", std::string(64, 'a'), forge))
            .error()
            .is(UrzaError::kUnknownBlueprint));
    const auto stranger = *execution::Signer::make(execution::KeyRole::kForge,
                                                   execution::generate_key_pair()->secret);
    EXPECT_TRUE(library->add_kernel(SmallLibrary::new_kernel("kernel-3", branch, stranger))
                    .error()
                    .is(execution::TrustError::kUnknownKey));
    EXPECT_TRUE(library->kernel("kernel-3").error().is(UrzaError::kUnknownKernel));
}

TEST_P(LibraryConformance, AVerdictMustBeTheGauntletsAndAboutThisKernelAndReport) {
    SmallLibrary library(home());
    library.add("kernel-1");
    library.add("kernel-2");
    const auto good = library.judge("kernel-1");
    EXPECT_TRUE(library->add_verdict("kernel-2", good.statement, good.seal, good.report)
                    .error()
                    .is(UrzaError::kConflict));
    EXPECT_TRUE(library
                    ->add_verdict("kernel-1", good.statement, good.seal,
                                  library.judge("kernel-1", false).report)
                    .error()
                    .is(UrzaError::kConflict));
    const auto forged = *library.keys()
                             .signer(execution::KeyRole::kForge)
                             ->seal(execution::kVerdictType, good.statement);
    EXPECT_TRUE(library->add_verdict("kernel-1", good.statement, forged, good.report)
                    .error()
                    .is(execution::TrustError::kWrongRole));
    EXPECT_TRUE(library->add_verdict("kernel-1", good.statement, good.seal, good.report));
}

TEST_P(LibraryConformance, AKernelOfARevokedKeyIsOfferedNoMore) {
    SmallLibrary library(home());
    library.add("kernel-1");
    ASSERT_TRUE(library.validate("kernel-1"));
    ASSERT_TRUE(library.keys().revoke(library->kernel("kernel-1")->forged.key));
    library.reopen();
    EXPECT_TRUE(library->offers(library.ask())->empty());
    EXPECT_TRUE(library.load("kernel-1").error().is(execution::TrustError::kRevokedKey));
}

TEST_P(LibraryConformance, QueriesByTagsAndLimits) {
    SmallLibrary library(home());
    const auto add = [&](const char* id, double latency, std::vector<std::string> tags) {
        library.add(id);
        ASSERT_TRUE(library.validate(id, true, latency, std::move(tags)));
    };
    add("a", 1, {"high_speed"});
    add("b", 2, {"high_speed", "low_memory"});
    add("c", 3, {"low_memory", "drifts"});
    library.add("pending");
    const auto ids = [&](const contracts::KernelQuery& query) {
        std::string joined;
        const auto result = *library->query(query);
        for (const auto& match : result.matching_kernels) joined += match.kernel_artifact_id;
        return joined;
    };
    contracts::KernelQuery query;
    EXPECT_EQ(ids(query), "abc");
    query.required_tags = {"low_memory"};
    EXPECT_EQ(ids(query), "bc");
    query.excluded_tags = {"drifts"};
    EXPECT_EQ(ids(query), "b");
    query = {};
    query.preferred_tags = {"low_memory"};
    EXPECT_EQ(ids(query), "bca");
    query = {};
    query.max_latency_ms = 2;
    EXPECT_EQ(ids(query), "ab");
    query.limit = 1;
    EXPECT_EQ(ids(query), "a");
    EXPECT_EQ(library->query(query)->total_matches, 2u);
    query = {};
    query.input_shape = {{63}};
    EXPECT_EQ(ids(query), "");
    query.input_shape = {{64}};
    query.target_gpu_arch = "sm_90";
    EXPECT_EQ(ids(query), "");
}

TEST_P(LibraryConformance, WhyNamesWhatDoesNotHold) {
    SmallLibrary library(home());
    const auto missing = [&](const std::string& id, std::int64_t rows) {
        std::string names;
        const auto reasons = *library->why(id, library.ask(rows));
        for (const auto& reason : reasons)
            if (!reason.holds) names += reason.what + "; ";
        return names;
    };
    library.add("fast");
    EXPECT_NE(missing("fast", 32).find("the gauntlet validated it"), std::string::npos);
    ASSERT_TRUE(library.validate("fast", true, 1));
    EXPECT_EQ(missing("fast", 32), "");
    library.add("slow");
    ASSERT_TRUE(library.validate("slow", true, 2));
    EXPECT_EQ(missing("slow", 32), "it is the fastest that fits; ");
    EXPECT_NE(missing("fast", 4000).find("it is for what was asked"), std::string::npos);
    ASSERT_TRUE(library->deprecate("fast", contracts::AccessRole::kCurator, "it drifts"));
    EXPECT_NE(missing("fast", 32).find("it is in use"), std::string::npos);
    EXPECT_EQ(missing("slow", 32), "");
    EXPECT_TRUE(
        library->deprecate("slow", ComponentType::kKarn, "").error().is(ContractError::kWrongRole));
}

TEST_P(LibraryConformance, WhyNamesASpeculativeRisk) {
    SmallLibrary library(home());
    const auto risk_of = [&](const std::string& id) {
        const auto reasons = value_or_throw(library->why(id, {}));
        const auto found = std::ranges::find(reasons, "its risk is not speculative", &Reason::what);
        return found == reasons.end() ? Reason{"none", false, ""} : *found;
    };
    for (const auto* id : {"sure", "risky", "old", "wrong"}) library.add(id);
    ASSERT_TRUE(library.validate("sure", true, 1, {}, 0.5));
    ASSERT_TRUE(library.validate("risky", true, 1, {}, 0.51));
    ASSERT_TRUE(library.validate("old"));
    ASSERT_TRUE(library.validate("wrong", false));
    EXPECT_TRUE(risk_of("sure").holds);
    EXPECT_EQ(risk_of("sure").why, "0.500, MODERATE");
    EXPECT_FALSE(risk_of("risky").holds);
    EXPECT_NE(risk_of("risky").why.find("0.510, SPECULATIVE"), std::string::npos);
    EXPECT_TRUE(risk_of("old").holds) << "a report of before there were scores";
    EXPECT_EQ(risk_of("wrong").what, "none");
    EXPECT_TRUE(value_or_throw(library->verify({})).empty());
}

TEST_P(LibraryConformance, AKernelInARunIsOneUseHoweverManySeedsRanIt) {
    SmallLibrary library(home());
    const auto branch = *library->add_blueprint(submission(64));
    library.add("k");
    ASSERT_TRUE(library.validate("k", true, 1, {}, 0.2));
    auto run = field_run("run-1", branch, 4, 4);
    for (const std::size_t seed : {0U, 1U, 2U}) {
        auto& report = run.reports[seed].report;
        report.kernel_artifact_id = seed == 2 ? "unknown" : "k";
        report.eval_metrics = {{kKernelFailed, seed == 1 ? 1 : 0}};
    }
    ASSERT_TRUE(*library->file_run(run));
    // A report of before: a kernel, and not a word about whether it failed.
    auto old = field_run("run-0", branch, 1, 1);
    old.reports[0].report.kernel_artifact_id = "k";
    ASSERT_TRUE(*library->file_run(old));
    const auto uses = value_or_throw(kernel_uses(*library));
    ASSERT_EQ(uses.size(), 2u);
    EXPECT_EQ(uses[0].kernel, "k");
    EXPECT_EQ(uses[0].blueprint, branch);
    EXPECT_TRUE(uses[0].failed) << "one of its two seeds says so";
    EXPECT_EQ(uses[0].risk, 0.2);
    EXPECT_EQ(uses[0].measured, 0.1);
    EXPECT_EQ(uses[1].kernel, "unknown");
    EXPECT_FALSE(uses[1].failed);
    EXPECT_EQ(uses[1].measured, std::nullopt);
}

TEST_P(LibraryConformance, AKernelOfAnOlderInterfaceIsNamedAsSuchAndCollected) {
    SmallLibrary library(home());
    for (const auto* id : {"new", "old"}) {
        library.add(id, std::string(id) == "old" ? 2 : ESPER_BRANCH_KERNEL_ABI);
        ASSERT_TRUE(library.validate(id));
    }
    const auto found = *library->verify({});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_TRUE(found[0].is(execution::KernelError::kAbiMismatch)) << found[0].to_string();
    EXPECT_EQ(found[0].message(),
              "kernel old: made for an older kernel interface (2, this is 3); esper library gc "
              "removes it");
    EXPECT_EQ(library->collect({})->kernels, 1U);
    EXPECT_TRUE(library->verify({})->empty());
    EXPECT_TRUE(library->fetch("new"));
}

TEST_P(LibraryConformance, CollectingDropsObjectsAndKeepsWhatHappened) {
    SmallLibrary library(home());
    for (const auto& [id, latency] : {std::pair("a", 1.0), {"b", 2.0}, {"c", 3.0}}) {
        library.add(id);
        ASSERT_TRUE(library.validate(id, true, latency));
    }
    library.add("bad");
    ASSERT_TRUE(library.validate("bad", false));
    library.home().age_objects();
    const auto collected = *library->collect({.kernels_per_blueprint = 2});
    EXPECT_EQ(collected.kernels, 2u);
    EXPECT_EQ(collected.files, 2u);
    EXPECT_TRUE(library->fetch("a"));
    EXPECT_TRUE(library->fetch("c").error().is(UrzaError::kNoObject));
    EXPECT_TRUE(library->kernel("c")) << "its row and verdict stay";
    EXPECT_EQ(library->offers(library.ask())->size(), 2u);
    EXPECT_TRUE(library->verify({})->empty());
    EXPECT_EQ(library->collect({.kernels_per_blueprint = 2})->kernels, 0u);
}

TEST_P(LibraryConformance, WhatARunReportsComesBackInItsOrder) {
    SmallLibrary library(home());
    const auto one = *library->add_blueprint(submission(64));
    const auto two = *library->add_blueprint(submission(32));
    ASSERT_TRUE(*library->file_run(field_run("run-1", one, 3, 10)));
    ASSERT_TRUE(*library->file_run(field_run("run-2", two, 0, 4)));
    ASSERT_TRUE(*library->file_run(field_run("run-3", one, 0, 5)));
    const auto reports = *library->reports(one);
    ASSERT_EQ(reports.size(), 3u);
    EXPECT_EQ(reports[2].report.ended_epoch, 3u);
    EXPECT_EQ(reports[2].seed, "s3");
    EXPECT_EQ(reports[2].run, "run-1");
    EXPECT_EQ(reports[2].host, "gpt");
    EXPECT_EQ(library->reports("")->size(), 3u);
    EXPECT_TRUE(library->reports("another")->empty());
    auto measured = *library->measured_candidates();
    ASSERT_EQ(measured.size(), 2u);
    if (measured[0].blueprint != one) std::swap(measured[0], measured[1]);
    EXPECT_EQ(measured[0].measured, 15);
    EXPECT_EQ(measured[0].chosen, 3);
    EXPECT_EQ(measured[0].runs, 2);
    EXPECT_EQ(measured[0].runs_chosen, 1);
    EXPECT_EQ(measured[1].runs_chosen, 0);
    EXPECT_TRUE(library->verify({})->empty());
}

TEST_P(LibraryConformance, TheSameRunAgainSaysNothingNew) {
    SmallLibrary library(home());
    const auto id = *library->add_blueprint(submission(64));
    EXPECT_TRUE(*library->file_run(field_run("run-1", id, 2, 10)));
    const auto before = library->head()->number;
    EXPECT_FALSE(*library->file_run(field_run("run-1", id, 2, 10)));
    EXPECT_EQ(library->reports(id)->size(), 2u);
    EXPECT_EQ(library->measured_candidates()->front().measured, 10);
    EXPECT_EQ(library->head()->number, before);
    const auto unknown = library->file_run(field_run("run-2", "nobody", 1, 1));
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().is(UrzaError::kUnknownBlueprint));
    EXPECT_EQ(library->measured_candidates()->front().runs, 1);
}

TEST_P(LibraryConformance, ManyWritersAtOnceLoseNothing) {
    SmallLibrary library(home());
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&library, t] {
            for (int i = 0; i < 4; ++i)
                EXPECT_TRUE(library->add_blueprint(submission(100 + 4 * t + i)));
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(library->blueprints({})->size(), 32u);
    EXPECT_EQ(library->head()->number, 32u);
    EXPECT_TRUE(library->verify({})->empty());
}

TEST_P(LibraryConformance, TheLedgerSaysWhoDidWhatInPages) {
    SmallLibrary library(home());
    const std::string id = library.add("kernel-1");
    ASSERT_TRUE(library.validate(id));
    ASSERT_TRUE(library->deprecate(id, contracts::AccessRole::kCurator, "it drifts"));
    const auto all = *library->ledger(0, 100);
    ASSERT_EQ(all.size(), 4u);
    EXPECT_EQ(all[0].actor, "a test");
    EXPECT_EQ(all[0].action, "add blueprint");
    EXPECT_EQ(all[1].action, "add kernel");
    EXPECT_EQ(all[2].action, "validate kernel");
    EXPECT_EQ(all[2].actor, "gauntlet " + library->kernel(id)->judged.key);
    // A server adds who asked it to.
    EXPECT_TRUE(all[3].action == "deprecate kernel: it drifts" ||
                all[3].action == "deprecate kernel: it drifts (a test)")
        << all[3].action;
    EXPECT_EQ(all[3].subject, id);
    const auto page = *library->ledger(1, 2);
    ASSERT_EQ(page.size(), 2u);
    EXPECT_EQ(page[0].number, 2u);
    EXPECT_EQ(library->head()->hash, all[3].hash);
    EXPECT_TRUE(library->verify(LedgerHead{2, all[1].hash})->empty());
    EXPECT_EQ(library->verify(LedgerHead{2, all[2].hash})->size(), 1u);
    EXPECT_EQ(library->verify(LedgerHead{5, all[3].hash})->size(), 1u) << "a head of the future";
}

TEST_P(LibraryConformance, WhatIsUnknownIsNamedAsSuch) {
    SmallLibrary library(home());
    const auto unknown = UrzaError::kUnknownKernel;
    EXPECT_TRUE(library->kernel("none").error().is(unknown));
    EXPECT_TRUE(library->fetch("none").error().is(unknown));
    EXPECT_TRUE(library->why("none", {}).error().is(unknown));
    EXPECT_TRUE(
        library->deprecate("none", contracts::AccessRole::kCurator, "").error().is(unknown));
    library.add("kernel-1");
    auto judged = library.judge("kernel-1");
    EXPECT_TRUE(library->add_verdict("none", judged.statement, judged.seal, judged.report)
                    .error()
                    .is(unknown));
    EXPECT_TRUE(
        library->set_blueprint_status("none", BlueprintStatus::kCompiling, ComponentType::kTezzeret)
            .error()
            .is(UrzaError::kUnknownBlueprint));
}

TEST_P(LibraryConformance, BytesOfAnyKindComeBackAsTheyWere) {
    SmallLibrary library(home());
    const auto branch = *library->add_blueprint(submission(64));
    const auto forge = *library.keys().signer(execution::KeyRole::kForge);
    std::string object;
    for (int i = 0; i < 70000; ++i) object += static_cast<char>(i * 7 % 256);
    ASSERT_TRUE(library->add_kernel(SmallLibrary::new_kernel("kernel-1", branch, forge, object)));
    library.reopen();
    EXPECT_EQ(execution::parse_bundle(*library->fetch("kernel-1"))->object, object);
    auto odd = submission(32);
    odd.description = "quoted ' and \" and \\ and ? and $1; \xc3\xa9\n";
    EXPECT_EQ(library->blueprint(*library->add_blueprint(odd))->description, odd.description);
}

TEST_P(LibraryConformance, TwoProcessesMayShareOne) {
    SmallLibrary library(home());
    const auto other = library.another();
    const std::string id = *library->add_blueprint(submission(64));
    EXPECT_TRUE(other->blueprint(id));
    ASSERT_TRUE(other->add_blueprint(submission(32)));
    ASSERT_TRUE(library->add_blueprint(submission(16)));
    EXPECT_EQ(library->head()->number, 3u);
    EXPECT_TRUE(other->verify({})->empty());
}

}  // namespace
}  // namespace esper::urza
