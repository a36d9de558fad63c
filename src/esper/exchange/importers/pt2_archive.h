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

/// The archive's description of one tensor.
struct TensorMeta {
    TensorType type;  ///< free sizes as -1
    std::vector<std::int64_t> strides;
    std::int64_t storage_offset = 0;
    bool requires_grad = false;
    /// The symbol of each free size, "" for fixed sizes; none where all are fixed. Sizes with equal
    /// symbols are equal.
    std::vector<std::string> symbols;
};
/// Errors: kUnsupported (element types or layouts that a Program cannot have), kMalformed.
Result<TensorMeta> read_meta(const nlohmann::json& meta);

/// The element type with that number in the archive's own enumeration.
Result<DType> read_dtype(std::int64_t number);

/// The parts of an archive, located and checked but not translated.
class Archive {
  public:
    static Result<Archive> open(std::string_view bytes, std::shared_ptr<void> owner,
                                const ImportOptions& options);

    const std::string& name() const { return name_; }
    /// The exported program: graph, signature, versions.
    const nlohmann::json& model() const { return model_; }
    /// A parameter, buffer or constant; the tensor uses the archive's memory. Errors: kUnknownName,
    /// kUnsupported (pickled), kMalformed, kTooLarge.
    Result<at::Tensor> tensor(const std::string& name) const;
    /// The tensor's identity: equal for names of the same tensor; "" if the archive has none.
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
