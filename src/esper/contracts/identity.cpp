#include "esper/contracts/identity.h"

#include <fmt/format.h>

#include <array>
#include <random>

#include "esper/base/hash.h"

namespace esper::contracts {

std::string new_uuid() {
    thread_local std::random_device device;
    std::array<std::uint32_t, 4> r{device(), device(), device(), device()};
    r[1] = (r[1] & 0xFFFF0FFFu) | 0x00004000u;
    r[2] = (r[2] & 0x3FFFFFFFu) | 0x80000000u;
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:04x}{:08x}", r[0], r[1] >> 16, r[1] & 0xFFFFu,
                       r[2] >> 16, r[2] & 0xFFFFu, r[3]);
}

std::uint64_t stable_hash64(std::string_view id) { return sha256(id).prefix64(); }

std::string artifact_id(std::string_view blueprint_sha256, std::string_view target,
                        CompilationPipeline pipeline, std::string_view toolchain_sha256) {
    return fmt::format("{}-{}-{}-{}", blueprint_sha256.substr(0, 12), target, to_text(pipeline),
                       toolchain_sha256.substr(0, 8));
}

}  // namespace esper::contracts
