#include "esper/services/urza/library.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <thread>

#include "urza/small_library.h"

namespace esper::urza {
namespace {

using contracts::BlueprintStatus;
using contracts::ComponentType;
using contracts::ContractError;
using contracts::KernelStatus;
using esper::testing::SmallLibrary;
using esper::testing::submission;

TEST(Library, IsMadeOnFirstUseForThisUserOnly) {
    SmallLibrary library;
    struct stat st {};
    ASSERT_EQ(::stat(library.path().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0700u);
    EXPECT_EQ(library->head()->number, 0u);
    EXPECT_TRUE(library->verify({})->empty());
}

TEST(Library, TheSameProgramIsOneBlueprint) {
    SmallLibrary library;
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

TEST(Library, ABlueprintWithAForbiddenOperatorIsRefusedByName) {
    SmallLibrary library;
    auto bad = submission(64);
    bad.architecture.replace(bad.architecture.find("aten::relu"), 10, "aten::save");
    auto refused = library->add_blueprint(bad);
    ASSERT_TRUE(refused.error().is(UrzaError::kBadBlueprint));
    EXPECT_NE(refused.error().message().find("aten::save"), std::string::npos);
    bad.architecture = "import os";
    EXPECT_TRUE(library->add_blueprint(bad).error().is(UrzaError::kBadBlueprint));
    EXPECT_TRUE(library->blueprints({})->empty());
}

TEST(Library, PagesFollowEachOther) {
    SmallLibrary library;
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

TEST(Library, StatusesMoveOnlyAsTheyMay) {
    SmallLibrary library;
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

TEST(Library, AKernelIsOfferedOnceTheGauntletHasPassedIt) {
    SmallLibrary library;
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

TEST(Library, ARefusedKernelIsNeverOffered) {
    SmallLibrary library;
    const std::string id = library.add("kernel-1");
    ASSERT_TRUE(library.validate(id));
    ASSERT_TRUE(library.validate(id, false)) << "the gauntlet tried another shape";
    EXPECT_EQ(library->kernel(id)->artifact.status, KernelStatus::kRejected);
    EXPECT_TRUE(library->offers(library.ask())->empty());
}

TEST(Library, OffersFitTheQuestionAndTheFastestIsFirst) {
    SmallLibrary library;
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

TEST(Library, TheSameKernelTwiceIsOneAndAnotherUnderItsIdIsRefused) {
    SmallLibrary library;
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

TEST(Library, AVerdictMustBeTheGauntletsAndAboutThisKernelAndReport) {
    SmallLibrary library;
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

TEST(Library, AKernelOfARevokedKeyIsOfferedNoMore) {
    SmallLibrary library;
    library.add("kernel-1");
    ASSERT_TRUE(library.validate("kernel-1"));
    ASSERT_TRUE(library.keys().revoke(library->kernel("kernel-1")->forged.key));
    library.reopen();
    EXPECT_TRUE(library->offers(library.ask())->empty());
    EXPECT_TRUE(library.load("kernel-1").error().is(execution::TrustError::kRevokedKey));
}

TEST(Library, QueriesByTagsAndLimits) {
    SmallLibrary library;
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

TEST(Library, WhyNamesWhatDoesNotHold) {
    SmallLibrary library;
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

TEST(Library, AKernelOfAnOlderInterfaceIsNamedAsSuchAndCollected) {
    SmallLibrary library;
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

TEST(Library, CollectingDropsObjectsAndKeepsWhatHappened) {
    SmallLibrary library;
    for (const auto& [id, latency] : {std::pair("a", 1.0), {"b", 2.0}, {"c", 3.0}}) {
        library.add(id);
        ASSERT_TRUE(library.validate(id, true, latency));
    }
    library.add("bad");
    ASSERT_TRUE(library.validate("bad", false));
    const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(2);
    for (const auto& file :
         std::filesystem::recursive_directory_iterator(library.path() / "objects"))
        if (file.is_regular_file()) std::filesystem::last_write_time(file.path(), long_ago);
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

/// A run of a GPT in which seeds of one blueprint ended, and so many candidates were measured.
FieldRun field_run(const std::string& id, const std::string& blueprint, std::uint32_t seeds,
                   std::int64_t measured) {
    FieldRun run{id,
                 "gpt",
                 {},
                 {{.blueprint = blueprint, .host = "", .measured = measured, .chosen = seeds}}};
    for (std::uint32_t epoch = 1; epoch <= seeds; ++epoch) {
        contracts::FieldReport report;
        report.blueprint_id = blueprint;
        report.kernel_artifact_id = "operators";
        report.at.layer = "layer1";
        report.ended_epoch = epoch;
        run.reports.push_back({report, id, "s" + std::to_string(epoch), "gpt"});
    }
    return run;
}

TEST(Library, WhatARunReportsComesBackInItsOrder) {
    SmallLibrary library;
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

TEST(Library, TheSameRunAgainSaysNothingNew) {
    SmallLibrary library;
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

TEST(Library, AnAlteredReportIsFound) {
    SmallLibrary library;
    const auto id = *library->add_blueprint(submission(64));
    ASSERT_TRUE(*library->file_run(field_run("run-1", id, 2, 10)));
    ASSERT_TRUE(library->verify({})->empty());
    for (const auto* change :
         {"UPDATE field_candidates SET measured = 11", "UPDATE field_run SET host = 'mlp'",
          "UPDATE field_report SET seed = 's9' WHERE seed = 's1'",
          "DELETE FROM field_report WHERE seed = 's2'"}) {
        library.sql(change);
        const auto wrong = *library->verify({});
        ASSERT_EQ(wrong.size(), 1u) << change;
        EXPECT_TRUE(wrong.front().is(UrzaError::kBadRow)) << wrong.front().to_string();
        library.sql("UPDATE field_candidates SET measured = 10");
        library.sql("UPDATE field_run SET host = 'gpt'");
        library.sql("UPDATE field_report SET seed = 's1' WHERE seed = 's9'");
    }
}

TEST(Library, ManyWritersShareASync) {
    SmallLibrary library;
    ASSERT_TRUE(library->add_blueprint(submission(64)));
    const std::uint64_t before = library->commits();
    std::vector<std::thread> threads;
    for (int t = 0; t < 32; ++t) {
        threads.emplace_back([&library, t] {
            for (int i = 0; i < 4; ++i)
                EXPECT_TRUE(library->add_blueprint(submission(100 + 4 * t + i)));
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(library->head()->number, 129u);
    EXPECT_LT(library->commits() - before, 128u);
    EXPECT_TRUE(library->verify({})->empty());
}

TEST(Library, TwoProcessesMayShareOne) {
    SmallLibrary library;
    const auto other = *SqliteLibrary::open(library.path());
    const std::string id = *library->add_blueprint(submission(64));
    EXPECT_TRUE(other->blueprint(id));
    ASSERT_TRUE(other->add_blueprint(submission(32)));
    ASSERT_TRUE(library->add_blueprint(submission(16)));
    EXPECT_EQ(library->head()->number, 3u);
    EXPECT_TRUE(other->verify({})->empty());
}

}  // namespace
}  // namespace esper::urza
