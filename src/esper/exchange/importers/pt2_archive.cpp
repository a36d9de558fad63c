#include "esper/exchange/importers/pt2_archive.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "esper/base/printable_text.h"
#include "esper/base/text.h"
#include "esper/engine/torch_compat.h"

namespace esper::graph::importing {

namespace {

using nlohmann::json;

constexpr std::uint64_t kLargestJson = std::uint64_t{256} << 20;
constexpr std::int64_t kStrided = 7;

struct NumberedType {
    std::int64_t number;
    DType dtype;
};
constexpr std::array<NumberedType, 10> kTypes{{{1, DType::kUInt8},
                                               {2, DType::kInt8},
                                               {3, DType::kInt16},
                                               {4, DType::kInt32},
                                               {5, DType::kInt64},
                                               {6, DType::kFloat16},
                                               {7, DType::kFloat32},
                                               {8, DType::kFloat64},
                                               {12, DType::kBool},
                                               {13, DType::kBFloat16}}};

// Number of storage elements that a tensor spans; nothing if that overflows or is negative.
std::optional<std::int64_t> extent(const TensorMeta& meta) {
    std::int64_t last = meta.storage_offset;
    if (last < 0) return std::nullopt;
    for (std::size_t i = 0; i < meta.type.shape.size(); ++i) {
        const auto size = meta.type.shape[i];
        if (size == 0) return 0;
        std::int64_t step = 0;
        if (meta.strides[i] < 0 || __builtin_mul_overflow(size - 1, meta.strides[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return std::nullopt;
    }
    return last < 0 || last > Limits::kMaxElements ? std::nullopt : std::optional(last + 1);
}

bool is_aligned(const char* bytes, std::size_t to) {
    return reinterpret_cast<std::uintptr_t>(bytes) % to == 0;
}

}  // namespace

Result<DType> read_dtype(std::int64_t number) {
    for (const auto& known : kTypes)
        if (known.number == number) return known.dtype;
    return fail(ImportError::kUnsupported,
                fmt::format("element type number {} of the export schema (complex numbers, 8-bit "
                            "floats and unsigned integers above 8 bits) has no place in a Program",
                            number));
}

Result<TensorMeta> read_meta(const json& meta) {
    TensorMeta result;
    ESPER_TRY(result.type.dtype, read_dtype(meta.at("dtype").get<std::int64_t>()));
    if (meta.at("layout").get<std::int64_t>() != kStrided)
        return fail(ImportError::kUnsupported, "sparse tensors have no place in a Program");
    for (const auto& size : meta.at("sizes")) {
        const bool fixed = size.contains("as_int");
        result.type.shape.push_back(fixed ? size.at("as_int").get<std::int64_t>() : -1);
        result.symbols.push_back(fixed ? "" : size.at("as_expr").at("expr_str").get<std::string>());
    }
    for (const auto& stride : meta.at("strides"))
        result.strides.push_back(stride.value("as_int", std::int64_t{-1}));
    result.storage_offset = meta.at("storage_offset").value("as_int", std::int64_t{-1});
    result.requires_grad = meta.at("requires_grad").get<bool>();
    if (result.strides.size() != result.type.shape.size() ||
        result.type.shape.size() > Limits::kMaxRank)
        return fail(GraphError::kMalformed,
                    fmt::format("a tensor has {} sizes and {} strides", result.type.shape.size(),
                                result.strides.size()));
    return result;
}

Result<json> Archive::read_json(const std::string& member) const {
    const auto* found = zip_.find(root_ + member);
    if (found != nullptr && found->size > kLargestJson)
        return fail(GraphError::kTooLarge, fmt::format("'{}' has {} bytes, at most {} are read",
                                                       member, found->size, kLargestJson));
    ESPER_TRY(const auto text, zip_.read(root_ + member));
    auto parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object())
        return fail(GraphError::kMalformed, "'" + member + "' does not hold a JSON object");
    return parsed;
}

Status Archive::find_model(const std::string& wanted) {
    std::vector<std::string> models;
    const auto folder = root_ + "models/";
    for (const auto& [name, member] : zip_.members())
        if (name.starts_with(folder) && name.ends_with(".json"))
            models.push_back(name.substr(folder.size(), name.size() - folder.size() - 5));
    name_ = wanted;
    if (wanted.empty() && models.size() == 1) name_ = models[0];
    if (std::find(models.begin(), models.end(), name_) != models.end()) return {};
    if (models.empty())
        return fail(ImportError::kUnsupported,
                    "the archive has no models/*.json; it may hold a compiled (AOTInductor) model "
                    "or none at all. torch.export.save writes what can be imported");
    return fail(GraphError::kUnknownName,
                wanted.empty()
                    ? "the archive has several models, name one: " + join(models, ", ")
                    : "the archive has no model '" + wanted + "', but " + join(models, ", "));
}

Status Archive::read_payloads(const std::string& folder, const std::vector<std::string>& configs) {
    for (const auto& config : configs) {
        std::string member = root_;
        member += folder;
        member += config;
        if (zip_.find(member) == nullptr) continue;
        ESPER_TRY(const auto parsed, read_json(folder + config));
        for (const auto& [name, item] : parsed.at("config").items()) {
            Payload payload;
            payload.member = folder;
            payload.member += item.at("path_name").get<std::string>();
            payload.pickled = item.at("use_pickle").get<bool>();
            if (item.contains("tensor_meta")) payload.meta = item.at("tensor_meta");
            payloads_.emplace(name, std::move(payload));
        }
        return {};
    }
    return {};
}

Result<Archive> Archive::open(std::string_view bytes, std::shared_ptr<void> owner,
                              const ImportOptions& options) {
    ESPER_TRY(auto zip, ZipArchive::open(bytes));
    Archive archive(std::move(zip));
    archive.owner_ = std::move(owner);
    archive.base_ = bytes.data();
    archive.verify_ = options.verify;
    constexpr std::string_view kFormat = "archive_format";
    bool found = false;
    for (const auto& [name, member] : archive.zip_.members()) {
        if (name != kFormat && !name.ends_with("/archive_format")) continue;
        archive.root_ = name.substr(0, name.size() - kFormat.size());
        found = true;
        break;
    }
    if (!found && archive.zip_.find("serialized_exported_program.json") != nullptr)
        return fail(GraphError::kWrongVersion,
                    "this is an archive of PyTorch before 2.8, whose weights are pickled; load it "
                    "with torch.export.load and save it again with a newer PyTorch");
    if (!found)
        return fail(ImportError::kUnsupported,
                    "a ZIP archive, but not one of torch.export.save (no archive_format in it)");
    ESPER_TRY(const auto format, archive.zip_.read(archive.root_ + std::string(kFormat)));
    if (format != "pt2")
        return fail(
            ImportError::kUnsupported,
            fmt::format("the archive's format is '{}', expected 'pt2'", printable(format, 40)));
    if (archive.zip_.find(archive.root_ + "byteorder") != nullptr) {
        ESPER_TRY(const auto order, archive.zip_.read(archive.root_ + "byteorder"));
        if (order != "little")
            return fail(ImportError::kUnsupported, "the archive's weights are big-endian");
    }
    ESPER_CHECK_STATUS(archive.find_model(options.model));
    ESPER_TRY(archive.model_, archive.read_json("models/" + archive.name_ + ".json"));
    const auto& version = archive.model_.at("schema_version");
    if (version.at("major").get<std::int64_t>() != kSchemaMajor)
        return fail(GraphError::kWrongVersion,
                    fmt::format("the model was written with export schema {}.{}; this build reads "
                                "{}.x: export it again with a PyTorch from 2.8 on",
                                version.at("major").get<std::int64_t>(),
                                version.value("minor", std::int64_t{0}), kSchemaMajor));
    const auto& name = archive.name_;
    ESPER_CHECK_STATUS(archive.read_payloads(
        "data/weights/", {name + "_weights_config.json", name + "_model_param_config.json"}));
    ESPER_CHECK_STATUS(archive.read_payloads("data/constants/", {name + "_constants_config.json"}));
    return archive;
}

Result<at::Tensor> Archive::tensor(const std::string& name) const {
    const auto it = payloads_.find(name);
    if (it == payloads_.end())
        return fail(GraphError::kUnknownName, fmt::format("the archive has no values for '{}'",
                                                          printable(name, kLongestName)));
    const auto& payload = it->second;
    if (payload.pickled || !payload.meta.is_object())
        return fail(ImportError::kUnsupported,
                    fmt::format("'{}' is pickled, and unpickling runs whatever code a file holds; "
                                "only plain tensors are read",
                                printable(name, kLongestName)));
    ESPER_TRY(const auto meta, read_meta(payload.meta));
    const auto* member = zip_.find(root_ + payload.member);
    if (member == nullptr)
        return fail(GraphError::kMalformed,
                    fmt::format("the bytes of '{}' are missing ({})", printable(name, kLongestName),
                                payload.member));
    if (verify_) ESPER_CHECK_STATUS(zip_.check(payload.member, *member));
    const auto span = extent(meta);
    const bool free = std::any_of(meta.type.shape.begin(), meta.type.shape.end(),
                                  [](auto size) { return size < 0; });
    const auto item = dtype_size(meta.type.dtype);
    if (free || !span || static_cast<std::uint64_t>(*span) > member->size / item)
        return fail(GraphError::kMalformed,
                    fmt::format("'{}' ({}) does not fit into its {} bytes",
                                printable(name, kLongestName), to_string(meta.type), member->size));
    auto options = at::TensorOptions().dtype(to_scalar_type(meta.type.dtype));
    // The mapping is private and writable, so the tensor may be written to.
    auto* data = const_cast<char*>(base_) + member->offset +
                 static_cast<std::uint64_t>(meta.storage_offset) * item;
    if (*span == 0) return at::empty(meta.type.shape, options);
    if (!is_aligned(data, item)) {
        const auto bytes = static_cast<std::int64_t>(
            static_cast<std::uint64_t>(*span - meta.storage_offset) * item);
        auto copy = at::from_blob(data, {bytes}, at::kByte).clone();
        return copy.view(to_scalar_type(meta.type.dtype)).as_strided(meta.type.shape, meta.strides);
    }
    auto keep = owner_;
    return at::from_blob(
        data, meta.type.shape, meta.strides, [keep](void*) mutable { keep.reset(); }, options);
}

std::string Archive::identity(const std::string& name) const {
    const auto it = payloads_.find(name);
    if (it == payloads_.end()) return "";
    const auto& meta = it->second.meta;
    if (!meta.is_object()) return "";
    return it->second.member + meta.at("sizes").dump() + meta.at("strides").dump() +
           meta.at("storage_offset").dump() + meta.at("dtype").dump();
}

bool Archive::requires_grad(const std::string& name) const {
    const auto it = payloads_.find(name);
    return it != payloads_.end() && it->second.meta.is_object() &&
           it->second.meta.value("requires_grad", false);
}

}  // namespace esper::graph::importing
