#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

#include "esper/base/hash.h"
#include "esper/execution/states/state_snapshot.h"

// A checkpoint's seed table with a corrected checksum: a table that parses must be written as the
// same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace esper::execution;
    std::string bytes(reinterpret_cast<const char*>(data), size);
    (void)parse_snapshot(bytes);
    if (size >= 4) {
        const std::uint32_t crc =
            esper::crc32c(std::as_bytes(std::span(bytes.data(), bytes.size() - 4)));
        std::memcpy(bytes.data() + bytes.size() - 4, &crc, 4);
    }
    const auto parsed = parse_snapshot(bytes);
    if (parsed && serialise(*parsed) != bytes) std::abort();
    return 0;
}
