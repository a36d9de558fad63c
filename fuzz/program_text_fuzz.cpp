// Whatever text comes: an error, or a Program whose text and bytes give it back, and which can be
// looked at without memory (libFuzzer stops at a large allocation) or is refused.

#include <cstdint>
#include <cstdlib>

#include "esper/program/binary/binary_format.h"
#include "esper/program/cost/cost.h"
#include "esper/program/text/text_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace esper::graph;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto program = parse_text(text);
    if (!program) return 0;
    const std::string canonical = to_text(**program);
    const auto again = parse_text(canonical);
    if (!again || to_text(**again) != canonical) std::abort();
    if ((*again)->hash() != (*program)->hash()) std::abort();
    const auto bytes = parse_binary(to_binary(**program));
    if (!bytes || to_text(**bytes) != canonical) std::abort();
    if (const auto allowed = from_text(text)) [[maybe_unused]]
        const auto cost = count_cost(**allowed);
    return 0;
}
