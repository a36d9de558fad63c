#include "esper/services/nissa/kernel_shelf.h"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "esper/services/records/fields.h"
#include "esper/services/urza/library.h"

namespace esper::nissa {

using nlohmann::json;
using records::text_of;

namespace {

constexpr std::size_t kMostKernels = 2000;
constexpr std::size_t kMostSeeds = 256;

json rows_of(const execution::ShapeClass& shape) { return {shape.rows_min, shape.rows_max}; }

json verdict_of(const urza::KernelRecord& record) {
    const auto& verdict = *record.verdict;
    json told{{"passed", verdict.passed},     {"at", contracts::to_string(verdict.at)},
              {"hardware", verdict.hardware}, {"rows", rows_of(verdict.shape)},
              {"tags", verdict.tags},         {"key", record.judged.key}};
    json measured = json::object();
    if (const auto& report = record.artifact.validation_report) {
        for (const auto& [name, value] : report->benchmark_results) measured[name] = value;
        for (const auto& [name, value] : report->baseline_comparison) measured[name] = value;
    }
    told["measured"] = std::move(measured);
    return told;
}

json kernel_of(urza::Library& library, const urza::KernelRecord& record) {
    const auto& manifest = record.manifest;
    const auto blueprint = library.blueprint(manifest.branch);
    json kernel{{"id", manifest.artifact},
                {"branch", manifest.branch},
                {"blueprint", blueprint ? blueprint->name : ""},
                {"status", contracts::to_text(record.artifact.status)},
                {"has_object", !record.is_collected},
                {"precision", manifest.precision},
                {"sample", manifest.shape.sample},
                {"rows", rows_of(manifest.shape)},
                {"isa", manifest.isa},
                {"pipeline", contracts::to_text(manifest.pipeline)},
                {"toolchain", manifest.toolchain},
                {"compile_seconds", record.artifact.compilation_metadata.compilation_seconds},
                {"made", contracts::to_string(record.artifact.created_at)},
                {"key", record.forged.key}};
    if (record.verdict) kernel["verdict"] = verdict_of(record);
    return kernel;
}

using Visit = std::function<json(urza::Library&, const urza::KernelRecord&)>;

// What `visit` makes of each kernel but null.
Status visit_kernels(const std::filesystem::path& folder, const Visit& visit, json& found) {
    ESPER_TRY(const auto library, urza::open_library_to_read(folder));
    urza::PageOf page;
    for (std::size_t seen = 0; seen < kMostKernels;) {
        ESPER_TRY(const auto records, library->kernels(page));
        for (const auto& record : records)
            if (auto kernel = visit(*library, record); !kernel.is_null())
                found.push_back(std::move(kernel));
        if (records.size() < page.limit) break;
        seen += records.size();
        page.after = records.back().artifact.kernel_artifact_id;
    }
    return {};
}

json answer(const std::filesystem::path& folder, const Visit& visit) {
    json told{{"library", urza::shown_address(folder.string())}, {"kernels", json::array()}};
    if (const auto done = visit_kernels(folder, visit, told["kernels"]); !done)
        told["problem"] = done.error().message();
    return told;
}

/// Each branch of the run's seeds, with what the run needs a kernel of it for.
std::map<std::string, urza::KernelAsk> asks_of(const json& record, std::int64_t batch_size) {
    std::map<std::string, urza::KernelAsk> asks;
    const auto kernels = record.find("kernels");
    if (kernels == record.end() || !kernels->is_object()) return asks;
    const auto seeds = kernels->find("seeds");
    if (seeds == kernels->end() || !seeds->is_array()) return asks;
    for (const auto& seed : *seeds) {
        const auto branch = seed.is_object() ? text_of(seed, "branch") : "";
        if (branch.empty() || asks.size() == kMostSeeds) continue;
        auto& ask = asks[branch];
        ask.branch = branch;
        ask.precision = text_of(record, "precision");
        ask.shape.rows_min = ask.shape.rows_max = batch_size;
        ask.shape.sample.clear();
        for (const auto& size : seed.value("sample", json::array()))
            if (size.is_number_integer()) ask.shape.sample.push_back(size.get<std::int64_t>());
    }
    return asks;
}

}  // namespace

json KernelShelf::all() const { return answer(folder_, kernel_of); }

json KernelShelf::of_run(const json& record, std::int64_t batch_size) const {
    const auto asks = asks_of(record, batch_size);
    if (asks.empty())
        return {{"library", urza::shown_address(folder_.string())}, {"kernels", json::array()}};
    return answer(folder_, [&](urza::Library& library, const urza::KernelRecord& kernel) -> json {
        const auto ask = asks.find(kernel.manifest.branch);
        if (ask == asks.end()) return {};
        auto told = kernel_of(library, kernel);
        told["reasons"] = json::array();
        const auto reasons = library.why(kernel.manifest.artifact, ask->second);
        if (reasons)
            for (const auto& reason : *reasons)
                told["reasons"].push_back(
                    {{"what", reason.what}, {"holds", reason.holds}, {"why", reason.why}});
        else
            told["reasons"].push_back(
                {{"what", "it can be read"}, {"holds", false}, {"why", reasons.error().message()}});
        return told;
    });
}

}  // namespace esper::nissa
