#pragma once

#include <gtest/gtest.h>

#include "esper/base/hash.h"
#include "esper/contracts/codec.h"
#include "esper/execution/kernels/trust/key_folder.h"
#include "esper/kernel_abi.h"
#include "esper/services/urza/kernel_uses.h"
#include "urza/library_home.h"

namespace esper::testing {

/// A branch of `width` features, as the text of a Program.
inline std::string branch_text(int width) {
    const std::string n = std::to_string(width);
    return "esper-program 1 \"branch\"\ninput x: f32[?, " + n + "]\nparam w: f32[" + n + ", " + n +
           "] normal(0.1)\n%0 = aten::linear(x, w, none)\n%1 = aten::relu(%0)\noutput y: %1\n";
}

inline contracts::BlueprintSubmission submission(int width) {
    contracts::BlueprintSubmission s;
    s.name = "branch-" + std::to_string(width);
    s.description = "for a test";
    s.architecture = branch_text(width);
    s.submitted_by = "a test";
    return s;
}

/// A library, and the keys to make kernels for it: in a folder, or of another implementation.
class SmallLibrary {
  public:
    SmallLibrary() : SmallLibrary(std::make_unique<FolderHome>()) {}
    explicit SmallLibrary(std::unique_ptr<LibraryHome> home)
        : home_(std::move(home)), library_(value_or_throw(home_->open())) {}

    LibraryHome& home() { return *home_; }
    urza::Library& operator*() { return *library_; }
    urza::Library* operator->() { return library_.get(); }
    execution::KeyFolder keys() const { return home_->keys(); }
    void close() { library_.reset(); }
    void reopen() {
        close();
        library_ = value_or_throw(home_->open());
    }
    /// The same, open a second time.
    std::unique_ptr<urza::Library> another() { return value_or_throw(home_->open()); }

    /// Of one in a folder.
    std::filesystem::path path() const { return dynamic_cast<FolderHome&>(*home_).path(); }
    std::uint64_t commits() const {
        return dynamic_cast<urza::DatabaseLibrary&>(*library_).commits();
    }

    static urza::NewKernel new_kernel(const std::string& id, const std::string& branch,
                                      const execution::Signer& forge, std::string object = "",
                                      std::int64_t abi = ESPER_BRANCH_KERNEL_ABI) {
        execution::KernelManifest manifest;
        manifest.artifact = id;
        manifest.abi = abi;
        manifest.branch = branch;
        manifest.precision = "fp32";
        manifest.shape = {{64}, 1, 4096};
        manifest.isa = "x86-64";
        manifest.cpu_features = {"sse2", "sse", "fpu"};  // in no order
        manifest.toolchain = "a compiler";
        if (object.empty()) object = "object of " + id;
        urza::NewKernel made;
        made.bundle = value_or_throw(execution::forge_bundle(manifest, object, forge));
        made.metadata.name = id;
        made.metadata.input_shape = made.metadata.output_shape = {64};
        made.compilation.toolchain_version = "1";
        return made;
    }
    /// Adds a blueprint (of 64 features) where it is missing, and a kernel of it.
    std::string add(const std::string& id, std::int64_t abi = ESPER_BRANCH_KERNEL_ABI) {
        const auto branch = value_or_throw(library_->add_blueprint(submission(64)));
        const auto forge = value_or_throw(keys().signer(execution::KeyRole::kForge));
        return value_or_throw(library_->add_kernel(new_kernel(id, branch, forge, "", abi)));
    }

    struct Judgement {
        std::string statement, report;
        execution::Seal seal;
    };
    /// Without `risk` as reports were before there were scores; with it, the trial alone said half.
    Judgement judge(const std::string& id, bool passed = true, double latency = 1,
                    std::vector<std::string> tags = {"high_speed"},
                    std::optional<double> risk = {}) {
        contracts::UrabraskValidationReport report;
        report.passed_validation = passed;
        report.benchmark_results = {{"latency_ms_mean", latency}, {"memory_mb_peak", 8}};
        report.generated_tags = tags;
        if (risk) {
            report.risk_score = risk;
            report.conf_level = contracts::confidence_for_risk(*risk);
            report.benchmark_results[urza::kMeasuredRisk] = *risk / 2;
        }
        if (!passed) report.failure = "a wrong gradient";
        Judgement judgement;
        judgement.report = value_or_throw(contracts::to_json(report));
        execution::Verdict verdict;
        verdict.report = sha256(judgement.report).hex();
        verdict.hardware = "a machine";
        verdict.shape = {{64}, 1, 1024};
        verdict.passed = passed;
        verdict.tags = std::move(tags);
        auto bundle = value_or_throw(execution::parse_bundle(value_or_throw(library_->fetch(id))));
        value_or_throw(execution::judge_bundle(
            bundle, verdict, value_or_throw(keys().signer(execution::KeyRole::kGauntlet))));
        judgement.statement = bundle.verdict;
        judgement.seal = bundle.judged;
        return judgement;
    }
    Status validate(const std::string& id, bool passed = true, double latency = 1,
                    std::vector<std::string> tags = {"high_speed"},
                    std::optional<double> risk = {}) {
        const Judgement j = judge(id, passed, latency, std::move(tags), risk);
        return library_->add_verdict(id, j.statement, j.seal, j.report);
    }

    urza::KernelAsk ask(std::int64_t rows = 32) {
        urza::KernelAsk ask;
        ask.branch = value_or_throw(library_->add_blueprint(submission(64)));
        ask.precision = "fp32";
        ask.shape = {{64}, rows, rows};
        return ask;
    }
    /// What a trainer would do with the first offer: fetch it and verify all of it.
    Result<execution::VerifiedBundle> load(const std::string& id) {
        ESPER_TRY(const std::string bytes, library_->fetch(id));
        ESPER_TRY(const auto bundle, execution::parse_bundle(bytes));
        return execution::verify_bundle(bundle, library_->ring(), {});
    }

    /// What somebody with the rights to the database does.
    void sql(const std::string& text) { database_home().sql(text); }
    DatabaseHome& database_home() { return dynamic_cast<DatabaseHome&>(*home_); }

  private:
    std::unique_ptr<LibraryHome> home_;
    std::unique_ptr<urza::Library> library_;
};

}  // namespace esper::testing
