#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "esper/exchange/importers/pt2.h"
#include "esper/exchange/importers/zip_archive.h"

namespace esper::graph::importing {

/// `torch._export.serde.schema` of PyTorch 2.13: major 8, minor 20. Minors only add.
inline constexpr int kSchemaMajor = 8;

/// Text of a file as it may stand in an error message.
std::string shown(std::string_view text);

/// What the archive says about one tensor.
struct TensorMeta {
    TensorType type;  ///< free sizes as -1
    std::vector<std::int64_t> strides;
    std::int64_t storage_offset = 0;
    bool requires_grad = false;
    /// The text of each free size, "" for fixed ones: equal texts are equal sizes.
    std::vector<std::string> symbols;
};
/// Errors: kUnsupported (element types or layouts that a Program cannot hold), kMalformed.
Result<TensorMeta> read_meta(const nlohmann::json& meta);

/// The element type with that number in the archive's own enumeration.
Result<DType> read_dtype(std::int64_t number);

/// The archive's parts, found and checked, not yet understood.
class Archive {
  public:
    static Result<Archive> open(std::string_view bytes, std::shared_ptr<void> owner,
                                const ImportOptions& options);

    const std::string& name() const { return name_; }
    /// The exported program: graph, signature, versions.
    const nlohmann::json& model() const { return model_; }
    /// A parameter, buffer or constant; its tensor lies in the archive's memory. Errors:
    /// kUnknownName, kUnsupported (pickled), kMalformed, kTooLarge.
    Result<at::Tensor> tensor(const std::string& name) const;
    /// Equal for tensors that are the same one; "" if the archive does not say.
    std::string identity(const std::string& name) const;
    bool has(const std::string& name) const { return payloads_.contains(name); }
    bool requires_grad(const std::string& name) const;

  private:
    explicit Archive(ZipArchive zip) : zip_(std::move(zip)) {}
    Result<nlohmann::json> read_json(const std::string& member) const;
    Status find_model(const std::string& wanted);
    Status read_payloads(const std::string& folder, const std::vector<std::string>& configs);

    struct Payload {
        std::string member;
        bool pickled = false;
        nlohmann::json meta;
    };
    ZipArchive zip_;
    std::shared_ptr<void> owner_;
    const char* base_ = nullptr;
    bool verify_ = true;
    std::string root_;
    std::string name_;
    nlohmann::json model_;
    std::map<std::string, Payload, std::less<>> payloads_;
};

}  // namespace esper::graph::importing
