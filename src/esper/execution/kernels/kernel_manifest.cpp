#include "esper/execution/kernels/kernel_manifest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "esper/base/processor.h"
#include "esper/contracts/rule_check.h"

namespace esper::execution {
namespace {

using nlohmann::json;

constexpr int kManifestVersion = 2;
constexpr int kVerdictVersion = 1;
constexpr std::int64_t kMostRows = std::int64_t{1} << 40;

/// Reads the fields of one JSON object; the first that is missing or of another type is kept.
class Fields {
  public:
    explicit Fields(std::string_view text) : object_(json::parse(text, nullptr, false)) {
        if (!object_.is_object()) problem_ = "this is no JSON object";
    }

    template <typename T>
    T get(const char* name, bool (json::*is)() const noexcept) {
        const json* value = find(name, is);
        return value != nullptr ? value->get<T>() : T();
    }
    std::string text(const char* name) { return get<std::string>(name, &json::is_string); }
    std::string sha256(const char* name) {
        std::string hex = text(name);
        if (!contracts::has_format(hex, contracts::Format::kSha256)) note(name, "64 hex digits");
        return hex;
    }
    std::int64_t number(const char* name, std::int64_t low, std::int64_t high) {
        const auto value = get<std::int64_t>(name, &json::is_number_integer);
        if (value < low || value > high) note(name, fmt::format("{} to {}", low, high));
        return value;
    }
    std::vector<std::string> texts(const char* name) {
        std::vector<std::string> list;
        const json* value = find(name, &json::is_array);
        if (value == nullptr) return list;
        for (const auto& item : *value) {
            if (!item.is_string()) note(name, "a list of texts");
            list.push_back(item.is_string() ? item.get<std::string>() : "");
        }
        return list;
    }
    std::map<std::string, std::string> map(const char* name) {
        std::map<std::string, std::string> map;
        const json* value = find(name, &json::is_object);
        if (value == nullptr) return map;
        for (const auto& [key, item] : value->items()) {
            if (!item.is_string()) note(name, "texts");
            map[key] = item.is_string() ? item.get<std::string>() : "";
        }
        return map;
    }
    ShapeClass shape(const char* name) {
        ShapeClass shape;
        const json* value = find(name, &json::is_object);
        if (value == nullptr) return shape;
        const auto sizes = value->find("sample"), rows = value->find("rows");
        const auto are_sizes = [&](auto list) {
            return list != value->end() && list->is_array() &&
                   std::ranges::all_of(*list, [](const json& n) {
                       return n.is_number_integer() && n >= 1 && n <= kMostRows;
                   });
        };
        if (!are_sizes(sizes) || !are_sizes(rows) || rows->size() != 2) {
            note(name, "sample, a list of sizes, and rows, their least and largest number");
            return shape;
        }
        shape.sample = sizes->template get<std::vector<std::int64_t>>();
        shape.rows_min = (*rows)[0];
        shape.rows_max = (*rows)[1];
        return shape;
    }
    /// "" when all were there.
    const std::string& problem() const { return problem_; }
    void note(std::string_view name, std::string_view expected) {
        if (problem_.empty()) problem_ = fmt::format("{} must be {}", name, expected);
    }

  private:
    const json* find(const char* name, bool (json::*is)() const noexcept) {
        if (!problem_.empty()) return nullptr;
        const auto value = object_.find(name);
        if (value != object_.end() && ((*value).*is)()) return &*value;
        problem_ = fmt::format("{} is missing or of another type", name);
        return nullptr;
    }
    json object_;
    std::string problem_;
};

json json_of(const ShapeClass& shape) {
    return {{"sample", shape.sample}, {"rows", {shape.rows_min, shape.rows_max}}};
}

}  // namespace

std::string to_string(const ShapeClass& shape) {
    return fmt::format("{}, {} to {} rows", fmt::join(shape.sample, "x"), shape.rows_min,
                       shape.rows_max);
}

std::string KernelManifest::text() const {
    return json{{"manifest", kManifestVersion},
                {"artifact", artifact},
                {"abi", abi},
                {"branch", branch},
                {"precision", precision},
                {"shape", json_of(shape)},
                {"isa", isa},
                {"cpu_features", cpu_features},
                {"pipeline", contracts::to_text(pipeline)},
                {"toolchain", toolchain},
                {"flags", flags},
                {"sandbox", sandbox},
                {"files", files}}
        .dump();
}

Result<KernelManifest> KernelManifest::parse(std::string_view text) {
    Fields fields(text);
    KernelManifest m;
    fields.number("manifest", kManifestVersion, kManifestVersion);
    m.artifact = fields.text("artifact");
    m.abi = fields.number("abi", 0, 1000);
    m.branch = fields.sha256("branch");
    m.precision = fields.text("precision");
    m.shape = fields.shape("shape");
    m.isa = fields.text("isa");
    m.cpu_features = fields.texts("cpu_features");
    const auto pipeline =
        contracts::from_text<contracts::CompilationPipeline>(fields.text("pipeline"));
    if (!pipeline) fields.note("pipeline", "fast, standard or aggressive");
    m.pipeline = pipeline.value_or(contracts::CompilationPipeline::kFast);
    m.toolchain = fields.text("toolchain");
    m.flags = fields.texts("flags");
    m.sandbox = static_cast<int>(fields.number("sandbox", 0, 3));
    m.files = fields.map("files");
    if (fields.problem().empty()) return m;
    return fail(KernelError::kBadManifest,
                fmt::format("a kernel's manifest (version {}): {}; compile the kernel anew",
                            kManifestVersion, fields.problem()));
}

std::string Verdict::text() const {
    return json{
        {"verdict", kVerdictVersion}, {"artifact", artifact}, {"manifest", manifest},
        {"report", report},           {"hardware", hardware}, {"shape", json_of(shape)},
        {"passed", passed},           {"tags", tags},         {"at", contracts::to_string(at)}}
        .dump();
}

Result<Verdict> Verdict::parse(std::string_view text) {
    Fields fields(text);
    Verdict v;
    fields.number("verdict", kVerdictVersion, kVerdictVersion);
    v.artifact = fields.text("artifact");
    v.manifest = fields.sha256("manifest");
    v.report = fields.sha256("report");
    v.hardware = fields.text("hardware");
    v.shape = fields.shape("shape");
    v.passed = fields.get<bool>("passed", &json::is_boolean);
    v.tags = fields.texts("tags");
    const auto at = contracts::parse_timestamp(fields.text("at"));
    if (!at) fields.note("at", "a time such as 2026-11-23T09:18:05Z");
    v.at = at.value_or(contracts::Timestamp{});
    if (fields.problem().empty()) return v;
    return fail(TrustError::kBadVerdict,
                fmt::format("a verdict: {}; validate the kernel anew", fields.problem()));
}

const std::vector<std::string>& cpu_features_here() {
    static const std::vector<std::string> features = [] {
        std::istringstream flags(processor_info("flags"));
        std::vector<std::string> words;
        for (std::string word; flags >> word;) words.push_back(word);
        std::ranges::sort(words);
        return words;
    }();
    return features;
}

std::string hardware_here() {
    const std::string name = processor_info("model name");
    return name.empty() ? "unknown" : name;
}

std::vector<std::string> missing_features(const std::vector<std::string>& needed,
                                          const std::vector<std::string>& present) {
    std::vector<std::string> missing;
    for (const auto& feature : needed)
        if (std::ranges::find(present, feature) == present.end()) missing.push_back(feature);
    return missing;
}

}  // namespace esper::execution
