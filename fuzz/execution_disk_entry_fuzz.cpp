#include <cstdlib>
#include <string_view>

#include "esper/execution/kernels/disk_tier.h"

// Any bytes must be refused, unless they are exactly the entry written for that id.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace esper::execution;
    const std::string_view file(reinterpret_cast<const char*>(data), size);
    const auto decoded = decode_disk_entry(0x42, file);
    if (decoded && encode_disk_entry(0x42, *decoded) != file) std::abort();
    const std::string made = encode_disk_entry(0x42, file);
    if (*decode_disk_entry(0x42, made) != file) std::abort();
    return 0;
}
