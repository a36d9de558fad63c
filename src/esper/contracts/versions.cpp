#include "esper/contracts/versions.h"

#include <fmt/format.h>

#include <memory>

#include "esper/contracts/binary_codec.h"

namespace esper::contracts {
namespace {

std::string find_unrepresentable(const RecordInfo& info, const void* record, std::uint16_t version);

/// The path of the first value within `value` that `version` cannot represent, or "".
std::string find_in(const TypeInfo& type, const void* value, std::uint16_t version) {
    switch (type.kind) {
        case Kind::kRecord:
            return find_unrepresentable(type.record(), value, version);
        case Kind::kOptional:
        case Kind::kList: {
            const std::size_t n = type.container->size(value);
            for (std::size_t i = 0; i < n; ++i) {
                std::string path = find_in(*type.element, type.container->at(value, i), version);
                if (path.empty()) continue;
                return type.kind == Kind::kList ? fmt::format("[{}]{}", i, path) : path;
            }
            return {};
        }
        case Kind::kMap: {
            struct Visit {
                const TypeInfo& element;
                std::uint16_t version;
                std::string path;
            } visit{*type.element, version, {}};
            type.container->each(value, &visit,
                                 [](void* context, const std::string& key, const void* element) {
                                     auto& v = *static_cast<Visit*>(context);
                                     if (!v.path.empty()) return;
                                     std::string path = find_in(v.element, element, v.version);
                                     if (!path.empty()) v.path = fmt::format("[{}]{}", key, path);
                                 });
            return visit.path;
        }
        default:
            return {};
    }
}

std::string find_unrepresentable(const RecordInfo& info, const void* record,
                                 std::uint16_t version) {
    const std::unique_ptr<void, void (*)(void*)> fresh(info.create(), info.destroy);
    for (const FieldInfo& field : info.fields) {
        if (field.rule.since_version > version) {
            if (binary_image(field, record) != binary_image(field, fresh.get())) {
                return fmt::format(".{}", field.name);
            }
        } else {
            const std::string path = find_in(*field.type, field.in(record), version);
            if (!path.empty()) return fmt::format(".{}{}", field.name, path);
        }
    }
    return {};
}

}  // namespace

Status check_version(const RecordInfo& info, std::uint64_t version) {
    if (version >= 1 && version <= info.version) return {};
    return fail(ContractError::kUnknownVersion,
                fmt::format("{}: expected schema version 1 to {}, got {}; {}", info.name,
                            info.version, version,
                            version > info.version
                                ? "upgrade this program, or have the sender write the older version"
                                : "there is no such version"));
}

Status check_representable(const RecordInfo& info, const void* record, std::uint16_t version) {
    const std::string path = find_unrepresentable(info, record, version);
    if (path.empty()) return {};
    return fail(ContractError::kNotRepresentable,
                fmt::format("{}{}: schema version {} has no such field and the value would be "
                            "lost; write version {} instead",
                            info.name, path, version, info.version));
}

}  // namespace esper::contracts
