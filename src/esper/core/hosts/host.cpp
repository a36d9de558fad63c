#include "esper/core/hosts/host.h"

#include <fmt/format.h>

#include <map>
#include <mutex>

#include "esper/base/text.h"
#include "esper/core/hosts/makers.h"

namespace esper::core {

namespace {

struct Registry {
    std::mutex mutex;
    std::map<std::string, HostMaker> makers{
        {"mlp", make_mlp},
        {"resnet", make_resnet},
        {"vgg", make_vgg},
        {"gpt", make_gpt},
    };
};
Registry& registry() {
    static Registry instance;
    return instance;
}

}  // namespace

void register_host(const std::string& kind, HostMaker maker) {
    auto& r = registry();
    std::lock_guard lock(r.mutex);
    r.makers[kind] = maker;
}

std::vector<std::string> host_kinds() {
    auto& r = registry();
    std::lock_guard lock(r.mutex);
    std::vector<std::string> names;
    for (const auto& [name, maker] : r.makers) names.push_back(name);
    return names;
}

Result<graph::ProgramPtr> make_host(const HostSpec& spec) {
    HostMaker maker = nullptr;
    {
        auto& r = registry();
        std::lock_guard lock(r.mutex);
        if (auto it = r.makers.find(spec.kind); it != r.makers.end()) maker = it->second;
    }
    if (maker == nullptr) {
        auto known = host_kinds();
        return fail(CoreError::kUnknownHost,
                    fmt::format("no host of kind {}; known: {}",
                                quote_with_suggestion(spec.kind, known), join(known, ", ")));
    }
    return maker(spec);
}

Status check_size(const HostSpec& spec, std::string_view field, std::int64_t value,
                  std::int64_t low, std::int64_t high) {
    if (value >= low && value <= high) return {};
    return fail(CoreError::kBadHostSpec, fmt::format("{} needs a {} from {} to {}, got {}",
                                                     spec.kind, field, low, high, value));
}

}  // namespace esper::core
