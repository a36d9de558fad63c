#include "esper/services/tolaria/adapt/adapter_file.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "esper/base/text.h"
#include "esper/blueprints/adapter.h"
#include "esper/exchange/exporters/safetensors.h"
#include "esper/program/edits/seed_names.h"
#include "esper/services/tolaria/tolaria_errors.h"
#include "esper/version.h"

namespace esper::tolaria {

using nlohmann::json;

namespace {

constexpr const char* kFormat = "esper.adapter.v1";
constexpr const char* kPart = "part1";
constexpr const char* kLayout = "as it is";
constexpr const char* kHostClass = "EsperRun";
constexpr std::size_t kMostText = 1000;
constexpr std::int64_t kMostUnits = 1 << 20;
constexpr std::size_t kMostClasses = 65535;
constexpr std::size_t kLongestClass = 1000;
constexpr const char* kClasses = "classes";  // a key that not every adapter has
const std::set<std::string> kKeys = {"format",     "esper",          "name",         "host",
                                     "host_class", "host_structure", "host_tensors", "parts",
                                     "program",    "purpose",        "losses",       "parameters"};
const std::set<std::string> kPartKeys = {"name",     "anchor",    "kind", "layout",
                                         "features", "blueprint", "width"};

tl::unexpected<Error> bad(const std::filesystem::path& file, const std::string& what) {
    return fail(AdaptError::kBadAdapter, file.string() + " is no adapter of a run: " + what +
                                             "; such files are made by 'esper adapt HOST DATA'");
}

bool is_hex(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

std::set<std::string> keys_of(const json& object) {
    std::set<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.insert(key);
    return keys;
}

Result<AdapterPart> read_part(const std::filesystem::path& file, const std::string& text) {
    const auto parts = json::parse(text, nullptr, false);
    if (!parts.is_array() || parts.size() != 1 || !parts[0].is_object())
        return bad(file, "its 'parts' are not a list of one part");
    const auto& given = parts[0];
    if (keys_of(given) != kPartKeys) return bad(file, "its part has other keys than a part's");
    for (const auto* key : {"name", "anchor", "kind", "layout", "blueprint"})
        if (!given[key].is_string() || given[key].get<std::string>().size() > 200 ||
            !is_printable(given[key].get<std::string>()))
            return bad(file, fmt::format("'{}' of its part is no short text", key));
    for (const auto* key : {"features", "width"})
        if (!given[key].is_number_integer() || given[key].get<std::int64_t>() < 1 ||
            given[key].get<std::int64_t>() > kMostUnits)
            return bad(file, fmt::format("'{}' of its part is not 1 to {}", key, kMostUnits));
    if (given["name"] != kPart || given["layout"] != kLayout)
        return bad(file, "its part is for a module of Python, not for a run");
    AdapterPart part;
    const auto kind = graph::anchor_kind_from_name(given["kind"].get<std::string>());
    if (!kind) return bad(file, "its part has the unknown kind " + given["kind"].dump());
    part.kind = *kind;
    part.anchor = given["anchor"].get<std::string>();
    part.blueprint = given["blueprint"].get<std::string>();
    const auto known = blueprints::adapter_names(part.kind);
    if (std::ranges::find(known, part.blueprint) == known.end())
        return bad(file, "its part has the unknown blueprint " + given["blueprint"].dump());
    part.features = given["features"].get<std::int64_t>();
    part.width = given["width"].get<std::int64_t>();
    return part;
}

Result<std::map<std::string, double>> read_losses(const std::filesystem::path& file,
                                                  const std::string& text) {
    const auto given = json::parse(text, nullptr, false);
    if (!given.is_object()) return bad(file, "its 'losses' are no JSON object");
    std::map<std::string, double> losses;
    for (const auto& [key, value] : given.items()) {
        if (!value.is_number() || key.size() > 40 || !is_printable(key))
            return bad(file, "its 'losses' are no numbers with short names");
        losses[key] = value.get<double>();
    }
    return losses;
}

Result<std::vector<std::string>> read_classes(const std::filesystem::path& file,
                                              const std::string& text) {
    const auto given = json::parse(text, nullptr, false);
    const bool names =
        given.is_array() && !given.empty() && given.size() <= kMostClasses &&
        std::ranges::all_of(given, [](const json& name) {
            return name.is_string() && name.get_ref<const std::string&>().size() <= kLongestClass;
        });
    if (!names) return bad(file, "its 'classes' are no list of names");
    return given.get<std::vector<std::string>>();
}

/// The tensors that the part has, by their names in the file, with their shapes.
Result<std::map<std::string, std::vector<std::int64_t>>> shapes_of(const AdapterPart& part) {
    ESPER_TRY(const auto program, program_of(part));
    std::map<std::string, std::vector<std::int64_t>> shapes;
    const auto prefix = graph::seed_prefix(kPart);
    for (const auto& p : program->parameters())
        shapes[kPart + ("." + p.name.substr(prefix.size()))] = p.type.shape;
    return shapes;
}

Status check_tensors(const std::filesystem::path& file, const AdapterPart& part,
                     const std::map<std::string, at::Tensor>& tensors) {
    ESPER_TRY(const auto shapes, shapes_of(part));
    if (tensors.size() != shapes.size())
        return bad(
            file, fmt::format("it has {} tensors, its part has {}", tensors.size(), shapes.size()));
    for (const auto& [name, shape] : shapes) {
        const auto found = tensors.find(name);
        if (found == tensors.end()) return bad(file, "it lacks the tensor " + name);
        if (found->second.scalar_type() != at::kFloat || found->second.sizes() != shape)
            return bad(file,
                       "the type or the shape of its tensor " + name + " is not that of its part");
        if (!at::isfinite(found->second).all().item<bool>())
            return bad(file, "its tensor " + name + " holds numbers that are not finite");
    }
    return {};
}

}  // namespace

bool is_adapter_name(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    return !name.empty() && name.size() <= 64 && letter(name.front()) &&
           std::ranges::all_of(name, [&](char c) {
               return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
           });
}

Status check_adapter_name(const std::string& name) {
    if (is_adapter_name(name)) return {};
    return fail(TolariaError::kUnsupported,
                "--name " + name + ": letters, digits, - and _, at most 64, a letter first");
}

Status write_adapter(const std::filesystem::path& file, const AdapterFile& adapter) {
    const auto& part = adapter.part;
    ESPER_TRY(const auto program, program_of(part));
    const json parts = json::array({{{"name", kPart},
                                     {"anchor", part.anchor},
                                     {"kind", graph::anchor_kind_name(part.kind)},
                                     {"layout", kLayout},
                                     {"features", part.features},
                                     {"blueprint", part.blueprint},
                                     {"width", part.width}}});
    graph::Safetensors content;
    content.metadata = {{"format", kFormat},
                        {"esper", ESPER_VERSION},
                        {"name", adapter.name},
                        {"host", adapter.host.host},
                        {"host_class", kHostClass},
                        {"host_structure", adapter.host.structure},
                        {"host_tensors", adapter.host.tensors},
                        {"parts", parts.dump()},
                        {"program", program->hash().hex()},
                        {"purpose", adapter.purpose},
                        {"losses", json(adapter.losses).dump()},
                        {"parameters", std::to_string(part.parameters())}};
    if (!adapter.classes.empty())
        content.metadata[kClasses] =
            json(adapter.classes).dump(-1, ' ', false, json::error_handler_t::replace);
    for (const auto& [name, tensor] : adapter.tensors)
        content.tensors[kPart + ("." + name)] = tensor;
    return graph::write_safetensors(file, content);
}

Result<AdapterFile> read_adapter(const std::filesystem::path& file) {
    ESPER_TRY(auto content, graph::read_safetensors(file));
    auto& said = content.metadata;
    std::set<std::string> keys;
    for (const auto& [key, value] : said)
        if (key != kClasses) keys.insert(key);
    if (keys != kKeys || said["format"] != kFormat)
        return bad(file, fmt::format("its metadata is not that of '{}'", kFormat));
    if (!is_adapter_name(said["name"]))
        return bad(file, "its name is not one of letters, digits, - and _");
    if (said["purpose"].size() > kMostText || !is_printable(said["purpose"]))
        return bad(file,
                   fmt::format("its purpose is no printable line of {} characters", kMostText));
    if (said["host_class"] != kHostClass)
        return bad(file, "it was made for a module of Python; esper.adapters.add loads it");
    for (const auto* key : {"host", "host_structure", "program"})
        if (said[key].size() != 64 || !is_hex(said[key]))
            return bad(file, fmt::format("its '{}' is no SHA-256", key));
    if (said["host_tensors"].size() % 8 != 0 || !is_hex(said["host_tensors"]))
        return bad(file, "its 'host_tensors' is no list of digests");
    AdapterFile adapter;
    adapter.name = said["name"];
    adapter.purpose = said["purpose"];
    adapter.host.host = said["host"];
    adapter.host.structure = said["host_structure"];
    adapter.host.tensors = said["host_tensors"];
    ESPER_TRY(adapter.part, read_part(file, said["parts"]));
    ESPER_TRY(adapter.losses, read_losses(file, said["losses"]));
    if (const auto classes = said.find(kClasses); classes != said.end()) {
        ESPER_TRY(adapter.classes, read_classes(file, classes->second));
    }
    auto program = program_of(adapter.part);
    if (!program) return bad(file, program.error().message());
    if ((*program)->hash().hex() != said["program"])
        return bad(file, "its 'program' is not the hash of what its part computes");
    ESPER_CHECK_STATUS(check_tensors(file, adapter.part, content.tensors));
    for (const auto& [name, tensor] : content.tensors)
        adapter.tensors[name.substr(std::string_view(kPart).size() + 1)] = tensor;
    return adapter;
}

Status check_host(const AdapterFile& adapter, const HostIdentity& host) {
    if (adapter.host.host == host.host) return {};
    const auto other = [&](const std::string& what) {
        return fail(AdaptError::kOtherHost,
                    fmt::format("adapter {} was made for host {:.12}; this network is {:.12}: {}",
                                adapter.name, adapter.host.host, host.host, what));
    };
    if (adapter.host.structure != host.structure)
        return other(
            fmt::format("its Program is {:.12}, not {:.12}; use the run and the "
                        "checkpoint that it was made on",
                        host.structure, adapter.host.structure));
    std::vector<std::string> different;
    for (std::size_t i = 0; i < host.names.size(); ++i)
        if (adapter.host.tensors.substr(std::min(8 * i, adapter.host.tensors.size()), 8) !=
            host.tensors.substr(8 * i, 8))
            different.push_back(host.names[i]);
    if (different.empty()) return other("its 'host' is not the hash of the tensors it names");
    const auto more = different.size() > 3;
    different.resize(std::min<std::size_t>(different.size(), 3));
    return other(fmt::format("{}{} have other values; use the checkpoint that it was made on",
                             join(different, ", "), more ? " and others" : ""));
}

Result<graph::ProgramPtr> put_on(const AdapterFile& adapter, const graph::Program& host,
                                 graph::TensorStore& store) {
    ESPER_TRY(const auto identity, identity_of(host, store));
    ESPER_CHECK_STATUS(check_host(adapter, identity));
    if (const auto* anchor = host.find_anchor(adapter.part.anchor);
        anchor == nullptr || anchor->features != adapter.part.features ||
        anchor->kind != adapter.part.kind)
        return fail(AdaptError::kBadAdapter,
                    fmt::format("adapter {} is for an anchor '{}' of {} features, which its host "
                                "does not have",
                                adapter.name, adapter.part.anchor, adapter.part.features));
    if (!adapter.classes.empty()) {
        ESPER_TRY(const auto outputs, output_count(host));
        const std::set<std::string> names(adapter.classes.begin(), adapter.classes.end());
        if (std::ssize(names) != outputs || std::ssize(adapter.classes) != outputs ||
            names.contains(""))
            return fail(AdaptError::kBadAdapter,
                        fmt::format("adapter {} names {} classes, {} of them different; its host "
                                    "has {} outputs, each of which needs a name of its own",
                                    adapter.name, adapter.classes.size(), names.size(), outputs));
    }
    ESPER_TRY(auto program, with_adapter(host, adapter.part));
    const auto prefix = graph::seed_prefix(kAdapterSeed);
    ESPER_CHECK_STATUS(store.add(*program, graph::seed_scope(kAdapterSeed), prefix));
    for (const auto& [name, tensor] : adapter.tensors) {
        ESPER_TRY(auto target, store.find(prefix + name));
        target.copy_(tensor);
    }
    return program;
}

}  // namespace esper::tolaria
