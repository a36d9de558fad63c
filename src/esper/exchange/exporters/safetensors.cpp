#include "esper/exchange/exporters/safetensors.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/engine/torch_compat.h"

namespace esper::graph {

using nlohmann::json;

namespace {

static_assert(std::endian::native == std::endian::little);

// In the order of DType.
constexpr std::array<std::string_view, kDTypeCount> kNames = {"F32", "BF16", "F16", "F64", "I64",
                                                              "I32", "I16",  "I8",  "U8",  "BOOL"};

std::optional<DType> dtype_of(at::ScalarType type) {
    for (int i = 0; i < kDTypeCount; ++i)
        if (to_scalar_type(static_cast<DType>(i)) == type) return static_cast<DType>(i);
    return std::nullopt;
}

std::optional<DType> dtype_of(const std::string& name) {
    for (int i = 0; i < kDTypeCount; ++i)
        if (kNames[static_cast<std::size_t>(i)] == name) return static_cast<DType>(i);
    return std::nullopt;
}

tl::unexpected<Error> malformed(const std::filesystem::path& path, const std::string& what) {
    return fail(GraphError::kMalformed, path.string() + " is no safetensors file: " + what);
}

struct Entry {
    DType dtype = DType::kFloat32;
    std::vector<std::int64_t> shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

Result<Entry> read_entry(const std::filesystem::path& path, const std::string& name,
                         const json& item, std::uint64_t available) {
    const auto bad = [&](const std::string& what) {
        return malformed(path, fmt::format("tensor '{}' {}", name, what));
    };
    if (!item.is_object() || !item.contains("dtype") || !item["dtype"].is_string() ||
        !item.contains("shape") || !item["shape"].is_array() || !item.contains("data_offsets") ||
        !item["data_offsets"].is_array() || item["data_offsets"].size() != 2)
        return bad("lacks dtype, shape or data_offsets");
    Entry entry;
    const auto dtype = dtype_of(item["dtype"].get<std::string>());
    if (!dtype) return bad("has the unknown dtype " + item["dtype"].dump());
    entry.dtype = *dtype;
    std::uint64_t numel = 1;
    if (item["shape"].size() > Limits::kMaxRank) return bad("has too many dimensions");
    for (const auto& size : item["shape"]) {
        if (!size.is_number_unsigned()) return bad("has a size that is no whole number");
        const auto n = size.get<std::uint64_t>();
        if (n > static_cast<std::uint64_t>(Limits::kMaxElements) ||
            (n != 0 && numel > static_cast<std::uint64_t>(Limits::kMaxElements) / n))
            return bad("is too large");
        numel *= n;
        entry.shape.push_back(static_cast<std::int64_t>(n));
    }
    for (const auto& offset : item["data_offsets"])
        if (!offset.is_number_unsigned()) return bad("has an offset that is no whole number");
    entry.begin = item["data_offsets"][0].get<std::uint64_t>();
    entry.end = item["data_offsets"][1].get<std::uint64_t>();
    if (entry.begin > entry.end || entry.end > available) return bad("reaches beyond the file");
    if (entry.end - entry.begin != numel * dtype_size(entry.dtype))
        return bad("does not have the bytes that its shape asks for");
    return entry;
}

}  // namespace

Status write_safetensors(const std::filesystem::path& path, const Safetensors& content) {
    json header = json::object();
    if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
    std::vector<at::Tensor> kept;
    std::uint64_t offset = 0;
    for (const auto& [name, tensor] : content.tensors) {
        const auto dtype = dtype_of(tensor.scalar_type());
        if (!dtype)
            return fail(
                GraphError::kMalformed,
                fmt::format("tensor '{}' has an element type that safetensors lacks", name));
        kept.push_back(tensor.detach().contiguous());
        const std::uint64_t bytes = kept.back().nbytes();
        header[name] = {{"dtype", kNames[static_cast<std::size_t>(*dtype)]},
                        {"shape", tensor.sizes().vec()},
                        {"data_offsets", {offset, offset + bytes}}};
        offset += bytes;
    }
    auto text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    const std::uint64_t length = text.size();
    std::string head(sizeof length, '\0');
    std::memcpy(head.data(), &length, sizeof length);
    std::vector<std::string_view> pieces{head, text};
    for (const auto& tensor : kept)
        pieces.emplace_back(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
    return write_file_atomic(path, pieces);
}

Result<Safetensors> read_safetensors(const std::filesystem::path& path) {
    ESPER_TRY(const auto bytes, read_file(path));
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length) return malformed(path, "it is shorter than 8 bytes");
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > bytes.size() - sizeof length)
        return malformed(path, "its header is longer than the file");
    const std::string_view text(bytes.data() + sizeof length, length);
    const auto header = json::parse(text, nullptr, false);
    if (!header.is_object()) return malformed(path, "its header is no JSON object");
    const char* data = bytes.data() + sizeof length + length;
    const std::uint64_t available = bytes.size() - sizeof length - length;

    Safetensors content;
    std::map<std::uint64_t, std::uint64_t> ranges;
    for (const auto& [name, item] : header.items()) {
        if (name == "__metadata__") {
            if (!item.is_object()) return malformed(path, "__metadata__ is no object");
            for (const auto& [key, value] : item.items()) {
                if (!value.is_string()) return malformed(path, "metadata must be strings");
                content.metadata[key] = value.get<std::string>();
            }
            continue;
        }
        ESPER_TRY(const auto entry, read_entry(path, name, item, available));
        auto tensor = at::empty(entry.shape, to_scalar_type(entry.dtype));
        if (entry.end > entry.begin) {
            if (!ranges.emplace(entry.begin, entry.end).second)
                return malformed(path, "two tensors share their bytes");
            std::memcpy(tensor.mutable_data_ptr(), data + entry.begin, entry.end - entry.begin);
        }
        content.tensors.emplace(name, std::move(tensor));
    }
    std::uint64_t at = 0;
    for (const auto& [begin, end] : ranges) {
        if (begin != at) return malformed(path, "its tensors leave a gap or overlap");
        at = end;
    }
    if (at != available) return malformed(path, "there are bytes that belong to no tensor");
    return content;
}

}  // namespace esper::graph
