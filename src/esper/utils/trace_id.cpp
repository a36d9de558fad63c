#include "esper/utils/trace_id.h"

#include <fmt/format.h>

#include <charconv>
#include <random>

namespace esper::utils {
namespace {

thread_local TraceId current_trace;

std::uint64_t random_u64() {
    thread_local std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

std::string TraceId::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

TraceId TraceId::make() { return {random_u64(), random_u64() | 1u}; }

std::optional<TraceId> TraceId::parse(std::string_view hex) {
    if (hex.size() != 32) return std::nullopt;
    TraceId id;
    const auto half = [](std::string_view text, std::uint64_t& out) {
        const char* end = text.data() + text.size();
        const auto r = std::from_chars(text.data(), end, out, 16);
        return r.ec == std::errc{} && r.ptr == end;
    };
    if (!half(hex.substr(0, 16), id.high) || !half(hex.substr(16), id.low)) return std::nullopt;
    return id;
}

TraceId TraceId::current() { return current_trace; }

TraceScope::TraceScope(TraceId id) : before_(current_trace) { current_trace = id; }
TraceScope::~TraceScope() { current_trace = before_; }

}  // namespace esper::utils
