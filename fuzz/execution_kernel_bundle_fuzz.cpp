#include <cstdlib>
#include <string_view>

#include "esper/execution/kernels/kernel_bundle.h"

// Any bytes as a kernel bundle: parsing must not crash, verification must fail, and a bundle that
// parses must be written as the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace esper::execution;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto bundle = parse_bundle(bytes);
    if (!bundle) return 0;
    if (serialise_bundle(*bundle) != bytes) std::abort();
    const PublicKey key{1, 2, 3};
    if (verify_bundle(*bundle, std::span(&key, 1), 1)) std::abort();
    return 0;
}
