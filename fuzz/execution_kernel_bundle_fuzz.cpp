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
    static const KeyRing ring =
        *KeyRing::make(*Signer::make(KeyRole::kRoot, PrivateKey{1, 2, 3}), {});
    if (verify_bundle(*bundle, ring, {})) std::abort();
    (void)KernelManifest::parse(bundle->manifest);
    (void)Verdict::parse(bundle->verdict);
    (void)KeyRing::parse(bundle->manifest);
    return 0;
}
