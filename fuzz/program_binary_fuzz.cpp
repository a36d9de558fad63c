// Any bytes, as they are and with a corrected checksum, must give an error or a Program that can be
// written and read again.

#include <cstdint>
#include <cstdlib>
#include <span>

#include "esper/base/hash.h"
#include "esper/program/binary/binary_format.h"
#include "esper/program/text/text_format.h"

namespace {

void check(std::string_view bytes) {
    using namespace esper::graph;
    const auto program = parse_binary(bytes);
    if (!program) return;
    const std::string canonical = to_binary(**program);
    const auto again = parse_binary(canonical);
    if (!again || to_binary(**again) != canonical) std::abort();
    const auto text = parse_text(to_text(**program));
    if (!text || to_binary(**text) != canonical) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    check(bytes);
    std::string sealed = bytes;
    std::uint32_t crc = esper::crc32c(std::as_bytes(std::span(sealed)));
    for (int i = 0; i < 4; ++i, crc >>= 8) sealed.push_back(static_cast<char>(crc));
    check(sealed);
    return 0;
}
