#include "esper/configs/waiting.h"

#include <fmt/format.h>

#include <array>

namespace esper::configs {
namespace {

constexpr auto kWaiting = std::to_array<Waiting>({
    {"run.device", "", "training on a GPU", ""},
    {"growth.isolation", "reconstruction", "seeds that learn to reproduce their anchor's output",
     "choose shadow, the task's loss with the seed added in, or straight_through, the gradient at "
     "the seed's place"},
    {"controller.price", "", "compiled kernels with a measured memory, latency and risk", ""},
    {"telemetry.retention", "", "a store of health signals that outlives a run", ""},
    {"services", "", "the roles as processes of their own", ""},
    {"storage", "",
     "a library whose place and kind the configuration names (today options and variables do: "
     "--library and --objects, ESPER_LIBRARY and ESPER_OBJECTS)",
     ""},
    {"bus", "", "the bus between the roles", ""},
});

bool covers(const Waiting& waiting, std::string_view path) {
    if (!path.starts_with(waiting.path)) return false;
    return path.size() == waiting.path.size() || path[waiting.path.size()] == '.';
}

}  // namespace

std::span<const Waiting> waiting_keys() { return kWaiting; }

const Waiting* find_waiting(const Key& key) {
    for (const Waiting& waiting : kWaiting) {
        if (covers(waiting, key.path)) return &waiting;
    }
    return nullptr;
}

std::string refuse_waiting(std::size_t index, const EsperConfig& config) {
    static const EsperConfig defaults;
    const Schema& schema = Schema::instance();
    const Key& key = schema[index];
    if (key.is_section()) return "";
    const Waiting* waiting = find_waiting(key);
    if (waiting == nullptr) return "";
    const auto text = [&](const EsperConfig& from, MaskSecrets mask) {
        return key.type->write(schema.locate(from, index), mask);
    };
    const std::string value = text(config, MaskSecrets::kNo);
    const std::string usual = text(defaults, MaskSecrets::kNo);
    if (waiting->value.empty() ? value == usual : value != waiting->value) return "";
    const std::string what = waiting->value.empty()
                                 ? "nothing reads this key yet"
                                 : fmt::format("'{}' is not built yet", waiting->value);
    return fmt::format("{}: {}, it waits for {}; {} (got {})", key.path, what, waiting->waits_for,
                       waiting->instead.empty() ? fmt::format("leave it at {}", usual)
                                                : std::string(waiting->instead),
                       text(config, MaskSecrets::kYes));
}

}  // namespace esper::configs
