// Fault specs, glob patterns and splitting: any text must give an answer and no crash.

#include <cstdint>
#include <cstdlib>

#include "esper/base/fault_points.h"
#include "esper/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (esper::FaultPoints::arm(text, 1)) {
        esper::FaultPoint point("a");
        point.fires();
        esper::FaultPoints::disarm_all();
    }
    const auto parts = esper::split(text, '\n');
    if (esper::join(parts, "\n") != text) std::abort();
    if (parts.size() >= 2) {
        const bool matches = esper::glob_match(parts[0], parts[1]);
        // A pattern that matches must still match with `**` in front, which may match nothing.
        if (matches && !esper::glob_match("**" + parts[0], parts[1])) std::abort();
        if (esper::edit_distance(parts[0], parts[1]) != esper::edit_distance(parts[1], parts[0])) {
            std::abort();
        }
    }
    return 0;
}
