#include <ATen/ops/arange.h>
#include <ATen/ops/linspace.h>
#include <fmt/format.h>
#include <torch/version.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "esper/base/files.h"
#include "esper/base/processor.h"
#include "esper/base/text.h"
#include "esper/cli/commands.h"
#include "esper/core/hosts/host.h"
#include "esper/execution/kernels/child_process.h"
#include "esper/services/tezzeret/toolchain.h"
#include "esper/services/tolaria/data/open_dataset.h"
#include "esper/services/tolaria/learn/engine.h"
#include "esper/services/tolaria/learn/optimizer.h"
#include "esper/services/tolaria/tolaria_errors.h"
#include "esper/version.h"

namespace esper::cli {

namespace {

using nlohmann::json;

json machine() {
    const auto name = processor_info("model name");
    const auto flags = " " + processor_info("flags") + " ";
    const auto has = [&](const char* flag) {
        return flags.find(std::string(" ") + flag + " ") != std::string::npos;
    };
    const double memory =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
    return {{"cpu", name.empty() ? "unknown" : name},
            {"cores", physical_cores()},
            {"hardware_threads", std::thread::hardware_concurrency()},
            {"memory_bytes", memory},
            {"avx2", has("avx2")},
            {"avx512", has("avx512f")},
            {"avx512_bf16", has("avx512_bf16")},
            {"amx_bf16", has("amx_bf16")}};
}

/// What was tried, whether it worked, and what came of it.
json check(const char* what, const Result<std::string>& found) {
    return {{"what", what},
            {"works", found.has_value()},
            {"why", found ? *found : found.error().message()}};
}

/// Trains a small network for a step and looks at what came out.
Result<std::string> train_a_step(graph::Precision precision) {
    ESPER_TRY(
        const auto host,
        core::make_host({.kind = "mlp", .depth = 1, .width = 16, .classes = 4, .features = 8}));
    graph::TensorStore store({0, true});
    ESPER_CHECK_STATUS(store.add(*host, "host"));
    tolaria::Engine engine(precision, 0.0);
    const auto x = at::linspace(-1, 1, 32 * 8, at::kFloat).reshape({32, 8});
    const auto y = at::arange(32, at::kLong).remainder(4);
    ESPER_TRY(const auto step, engine.train(host, store, {x, y}));
    const auto block = store.find_block("host");
    const double gradient = tolaria::Optimizer::norm(block->grad);
    if (!std::isfinite(step.loss) || !std::isfinite(gradient) || gradient <= 0)
        return fail(tolaria::TolariaError::kUnsupported,
                    fmt::format("a step of a small network gave loss {} and a gradient of norm {}",
                                step.loss, gradient));
    return fmt::format("a step of a small network has loss {:.3f}, gradient {:.3f}", step.loss,
                       gradient);
}

Result<std::string> fast_bf16() {
    if (multiplies_bf16()) return std::string("the processor multiplies bf16 itself");
    return fail(tolaria::TolariaError::kUnsupported,
                "the processor has no bf16 arithmetic; run.precision: auto takes fp32");
}

const char* meaning(execution::SandboxLevel level) {
    switch (level) {
        case execution::SandboxLevel::kLimits:
            return "within limits alone";
        case execution::SandboxLevel::kJail:
            return "which sees its own folder and the system's programs and libraries alone";
        case execution::SandboxLevel::kNamespaces:
            return "which sees its own folder and the compilers' alone, and has processes and a "
                   "network of its own";
    }
    return "";
}

Result<std::string> native_kernels() {
    const auto& compilers = tezzeret::find_compilers();
    if (compilers.empty())
        return fail(tolaria::TolariaError::kUnsupported,
                    std::string(tezzeret::kNoCompiler) + "; seeds run as operators");
    const auto& sandbox = execution::sandbox();
    auto about = fmt::format("{} for {}, in a child at sandbox level {}, {}",
                             compilers.front().version, tezzeret::this_machine().name,
                             static_cast<int>(sandbox.level), meaning(sandbox.level));
    if (!sandbox.why_not_higher.empty()) about += "; not higher: " + sandbox.why_not_higher;
    return about;
}

Result<std::string> training_on_a_gpu() {
    return fail(tolaria::TolariaError::kUnsupported,
                "not built yet: run.device: cuda is refused, networks train on the processor");
}

/// Opens the data set as a run would.
Result<std::string> data_set(const char* name) {
    ESPER_TRY(const auto data, tolaria::open_dataset({.name = name}));
    return fmt::format("{} examples to learn from", data->size(tolaria::Part::kTrain));
}

/// Writes a file where a run's folder would be, and takes it away again.
Result<std::string> runs_here() {
    const std::filesystem::path file = ".esper-doctor-" + std::to_string(getpid());
    const auto written = write_file_atomic(file, "written by esper doctor\n");
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
    if (!written)
        return fail(Error(written.error())
                        .within("the working directory cannot be written; name a folder with "
                                "--run"));
    return std::string("the working directory can be written");
}

json checks() {
    return json::array(
        {check("training in fp32", train_a_step(graph::Precision::kFloat32)),
         check("training in bf16", train_a_step(graph::Precision::kBFloat16)),
         check("fast bf16", fast_bf16()), check("training on a GPU", training_on_a_gpu()),
         check("compiling kernels", native_kernels()), check("bundled text", data_set("text")),
         check("cifar10", data_set("cifar10")), check("runs here", runs_here())});
}

int examine(bool as_json) {
    const auto about = machine();
    const json versions{{"esper", ESPER_VERSION},
                        {"torch", TORCH_VERSION},
                        {"compiler", __VERSION__},
                        {"cli11", CLI11_VERSION}};
    const auto results = checks();
    if (as_json) {
        const auto& sandbox = execution::sandbox();
        const json all{{"machine", about},
                       {"versions", versions},
                       {"sandbox",
                        {{"level", static_cast<int>(sandbox.level)},
                         {"why_not_higher", sandbox.why_not_higher}}},
                       {"checks", results}};
        std::printf("%s\n", all.dump().c_str());
        return 0;
    }
    std::printf("%s, %d cores, %sB memory\n", about["cpu"].get<std::string>().c_str(),
                about["cores"].get<int>(),
                human_count(about["memory_bytes"].get<double>()).c_str());
    for (const auto* flag : {"avx2", "avx512", "avx512_bf16", "amx_bf16"})
        std::printf("  %-12s %s\n", flag, about[flag].get<bool>() ? "yes" : "no");
    for (const auto& [name, version] : versions.items())
        std::printf("  %-12s %s\n", name.c_str(), version.get<std::string>().c_str());
    for (const auto& result : results)
        std::printf("%s %-18s %s\n", result["works"].get<bool>() ? "works:      " : "does not:   ",
                    result["what"].get<std::string>().c_str(),
                    result["why"].get<std::string>().c_str());
    return 0;
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
    auto as_json = std::make_shared<bool>(false);
    auto* command = app.add_subcommand("doctor", "what works on this machine, and why not");
    command->add_flag("--json", *as_json, "one JSON line");
    command->callback([as_json, &exit_code] { exit_code = examine(*as_json); });
}

}  // namespace esper::cli
