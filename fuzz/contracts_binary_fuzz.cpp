// Any bytes, read as any type, must give an error or a value that is written as the same bytes. The
// checksum is corrected first, so that the fuzzer gets past it.
#include <cstdlib>
#include <memory>
#include <string>

#include "esper/base/hash.h"
#include "esper/contracts/binary_codec.h"
#include "esper/contracts/registry.h"
#include "esper/contracts/telemetry_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace esper::contracts;
    static_cast<void>(decode_telemetry({reinterpret_cast<const std::byte*>(data), size}));
    if (size == 0) return 0;
    const auto all = all_contracts();
    const RecordInfo& info = *all[data[0] % all.size()];
    std::string bytes{static_cast<char>(kBinaryMagic), static_cast<char>(info.number)};
    bytes.append(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::uint32_t crc = esper::crc32c(std::as_bytes(std::span(bytes)));
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(crc >> shift);
    const std::unique_ptr<void, void (*)(void*)> value(info.create(), info.destroy);
    if (!read_binary(info, bytes, value.get())) return 0;
    const auto again = write_binary(info, value.get(), info.version);
    if (!again || *again != bytes) std::abort();
    return 0;
}
